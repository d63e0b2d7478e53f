"""The pool: bounded, and nobody waits for a dead worker."""

from sttd.pool.protocol import PoolFull, Sink, WorkerPool, WorkerView

__all__ = ["PoolFull", "Sink", "WorkerPool", "WorkerView"]
