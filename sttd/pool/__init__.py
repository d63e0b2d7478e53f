"""The pool: bounded, and nobody waits for a dead worker.

This file and `local/__init__.py` import nothing: a worker's process imports them before its first line, and needs no part of
the daemon's side.
"""
