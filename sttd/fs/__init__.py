"""Steps on a file system that all stations use."""
