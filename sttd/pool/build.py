"""The pool that the configuration asks for: the one place that knows every kind of worker."""

from __future__ import annotations

from sttd.config import Config
from sttd.pool.local.source import LocalSource
from sttd.pool.pool import Pool
from sttd.pool.protocol import WorkerPool


def pool_of(config: Config) -> WorkerPool:
    """A pool that is not started yet."""
    return Pool(config, [LocalSource(config)])
