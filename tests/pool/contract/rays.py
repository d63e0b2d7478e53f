"""Workers of a real Ray cluster, one for all cases of a test run: its start takes seconds."""

from __future__ import annotations

import dataclasses
import os

from sttd.config import Config, Ray
from sttd.config.service import NONE
from sttd.pool.ray.link import Link
from sttd.pool.ray.source import RaySource
from tests.pool.contract.far import FAR
from tests.pool.ray.cluster import ADDRESS, Cluster


class Shared:
    """The cluster, while there is one, and its driver."""

    cluster: Cluster | None = None
    link: Link | None = None


class SharedRay(RaySource):
    """It leaves its driver to the next pool."""

    def __init__(self, config: Config) -> None:
        assert Shared.cluster is not None, "the fixture has started it"
        super().__init__(config, driver=Shared.cluster.driver, command=FAR)
        self._link = Shared.link

    def close(self) -> None:
        Shared.link = self._link


def configured(config: Config) -> Config:
    """The workers of a configuration, as those of a cluster."""
    assert Shared.cluster is not None
    pool = dataclasses.replace(config.pool, backend="ray", workers=NONE, when_unreachable="wait")
    ray = Ray(ADDRESS, Shared.cluster.token, slots=config.worker_count(), num_cpus=1)
    return dataclasses.replace(config, pool=pool, ray=ray)


def signal(pid: int, number: int) -> None:
    """`pid` is that of the worker on its node. Raises ProcessLookupError, as os.kill does."""
    found = outer(pid)
    if not found:  # to os.kill it would be all of pytest
        raise ProcessLookupError(pid)
    os.kill(found, number)


def exists(pid: int) -> bool:
    return outer(pid) != 0


def outer(pid: int) -> int:
    assert Shared.cluster is not None
    return Shared.cluster.head.outer(pid)
