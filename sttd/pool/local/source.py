"""The worker processes of this machine."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable

from sttd.config import Config
from sttd.config.service import NONE
from sttd.host.capacity import capacity
from sttd.part import PartSpec
from sttd.pool.local import child, oom
from sttd.pool.local.gpus import gpu_for
from sttd.pool.local.process import WorkerProcess, stop_helper
from sttd.pool.protocol import LOCAL
from sttd.pool.worker import Ears, Worker


class LocalSource:
    """See `Source`. A process is started for the part that it is to take, and stays warm."""

    name = LOCAL
    here = True
    ahead = False

    def __init__(
        self, config: Config, *, worker: str = child.WORKER, oom_kills: Callable[[], int] | None = None
    ) -> None:
        """`worker`: the module with what the child process runs; see `child.Settings`."""
        self._worker = worker
        self._oom_kills = oom_kills or functools.partial(oom.oom_kills, oom.oom_counter())
        self.configure(config)

    def slots(self, *, alone: bool) -> int:
        pool = self._config.pool
        if alone and pool.workers == NONE and pool.when_unreachable == "local":
            return capacity().workers(self._config.model.device)
        return self._config.worker_count()

    def most_slots(self, *, alone: bool) -> int:
        return self.slots(alone=alone)

    def configure(self, config: Config) -> None:
        self._config = config
        self._gpus = () if config.model.device == "cpu" else capacity().gpus

    def hire(self, number: int, ears: Ears) -> Worker:
        config = self._config
        settings = child.Settings(
            parent=os.getpid(),
            cleanup_every_chunks=config.memory.cleanup_every_chunks,
            cleanup_cooldown=config.memory.cleanup_cooldown,
            gpu=gpu_for(number, self._gpus),
            cuda=config.model.device != "cpu",
            more_threads=0 if config.model.cpu_threads else capacity().cores_over(number, self.slots(alone=True)),
            worker=self._worker,
        )
        return WorkerProcess(f"{self.name}/{number + 1}", ears, settings)

    def fitted(self, part: PartSpec) -> PartSpec:
        """With `pool.workers = 0` workers here stand in for remote ones. Their number is not configured: they share the cores."""
        if self._config.pool.workers != NONE or self._config.model.cpu_threads:
            return part
        threads = capacity().cores_each(self.slots(alone=True))
        return dataclasses.replace(part, model=dataclasses.replace(part.model, cpu_threads=threads))

    def oom_kills(self) -> int:
        return self._oom_kills()

    def close(self) -> None:
        stop_helper()
