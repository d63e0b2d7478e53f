"""The pool that the configuration asks for: the one place that knows every kind of worker."""

from __future__ import annotations

from sttd.config import Config, ray
from sttd.pool.command.source import CommandSource
from sttd.pool.local.source import LocalSource
from sttd.pool.pool import Pool
from sttd.pool.protocol import WorkerPool
from sttd.pool.ray.source import RaySource
from sttd.pool.source import Source


def pool_of(config: Config) -> WorkerPool:
    """A pool that is not started yet."""
    return Pool(config, sources_of)


def sources_of(config: Config) -> list[Source]:
    """The sources, this machine first: workers on others are hired when there are more parts than slots."""
    commands = (CommandSource(config, remote.name) for remote in config.remotes)
    return [LocalSource(config), *commands, *([RaySource(config)] if config.pool.backend == ray.NAME else [])]
