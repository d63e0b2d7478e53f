"""From a file to samples."""
