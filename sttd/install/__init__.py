"""What `sttd install` puts on a machine: which files, whether the service could run, and how they get there."""
