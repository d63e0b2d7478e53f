"""The pool of this machine: worker processes on private pipes."""

from sttd.pool.local.pool import LocalPool

__all__ = ["LocalPool"]
