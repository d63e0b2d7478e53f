"""A daemon on the machine of a cluster's head, with all of its workers in the cluster."""

from __future__ import annotations

from pathlib import Path

from tests.harness import Daemon
from tests.pool.ray.cluster import ADDRESS, Cluster

SETTINGS = {
    "pool.backend": "ray",
    "pool.workers": "0",
    "pool.when_unreachable": "wait",
    "pool.machine_wait": "1s",
    "pool.ray.address": ADDRESS,
    "transcribe.language": "en",
    "transcribe.batch_size": "1",
}


class RayDaemon(Daemon):
    """All of its commands see that machine's network."""

    def __init__(self, root: Path, cluster: Cluster, **settings: str) -> None:
        self._words = cluster.head.net
        super().__init__(root, SETTINGS | {"pool.ray.token_file": str(cluster.token)} | settings)

    def command(self, *words: str) -> list[str]:
        return [*self._words, *super().command(*words)]
