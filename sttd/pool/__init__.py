"""The pool of workers: their number is bounded, and no caller waits for a dead one.

This file and `local/__init__.py` import nothing: a worker's process imports them before its first line, and needs no part of
the daemon's side.
"""
