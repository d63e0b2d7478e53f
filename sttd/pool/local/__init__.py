"""The pool of this machine: worker processes on private pipes. Imports nothing, see `sttd.pool`."""
