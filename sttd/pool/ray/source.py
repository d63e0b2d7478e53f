"""The workers of a Ray cluster."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from sttd.config import Config
from sttd.config.ray import NAME
from sttd.part import PartSpec
from sttd.pool.command.setup import setup_of
from sttd.pool.command.worker import CommandWorker, Terms
from sttd.pool.ray.link import DRIVER, Link
from sttd.pool.ray.tunnel import Tunnel
from sttd.pool.ray.wire import Cluster
from sttd.pool.worker import Ears, Worker

_SEVERAL = 2  # slots of a cluster that is not reached yet, as a guess: enough to share a recording out


class RaySource:
    """See `Source`. The whole cluster is one node of the pool: Ray chooses where an actor runs."""

    name = NAME
    here = False
    ahead = True

    def __init__(self, config: Config, *, driver: Sequence[str] = DRIVER, command: Sequence[str] = ()) -> None:
        """`driver`: runs the driver; `command`: see `Cluster`."""
        self._driver = driver
        self._command = tuple(command)
        self._link: Link | None = None
        self.configure(config)

    def slots(self, *, alone: bool) -> int:  # noqa: ARG002
        """Until the cluster is reached there is one slot: its worker tries for all."""
        if self._config.pool.backend != NAME:
            return 0
        there = self._link.slots if self._link else None
        if there is None:
            return 1
        return self._config.ray.slots or max(1, there)  # one at least waits for room: an autoscaler sees it

    def most_slots(self, *, alone: bool) -> int:  # noqa: ARG002
        if self._config.pool.backend != NAME:
            return 0
        there = self._link.slots if self._link else None
        return self._config.ray.slots or max(1, _SEVERAL if there is None else there)

    def configure(self, config: Config) -> None:
        """Workers of a cluster that is no longer configured end like surplus ones, and their driver ends with them."""
        self._config = config
        is_used = config.pool.backend == NAME and self._link is not None and self._link.cluster == self._cluster()
        if self._link is not None and not is_used:
            self._link.retire()
            self._link = None

    def hire(self, number: int, ears: Ears) -> Worker:
        config = self._config
        setup = setup_of(config, number=number, slots=1, device=config.ray.device, cpu_threads=config.ray.num_cpus)
        name = f"{self.name}/{number + 1}"
        carry = functools.partial(self._carry, name)
        return CommandWorker(name, Terms(carry, setup, config.ray.start_timeout, config.pool.remote_timeout), ears)

    def fitted(self, part: PartSpec) -> PartSpec:
        return part

    def oom_kills(self) -> int:
        return 0

    def close(self) -> None:
        if self._link is not None:
            self._link.close()

    def _carry(self, name: str) -> Tunnel:
        """Raises OSError: the driver cannot be started."""
        if self._link is None or self._link.is_over:
            self._link = Link(self._cluster(), self._driver)
        return Tunnel(self._link, name)

    def _cluster(self) -> Cluster:
        ray = self._config.ray
        token = "" if ray.token_file == Path() else str(ray.token_file)
        return Cluster(ray.address, token, ray.num_cpus, ray.device, command=self._command)
