"""The kinds of worker that the contract is tried with. One more is one more line in `KINDS`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psutil

from sttd.config import Config, Remote
from sttd.config.service import NONE
from sttd.pool.command.source import CommandSource
from sttd.pool.command.worker import CommandWorker
from sttd.pool.local.process import WorkerProcess
from sttd.pool.local.source import LocalSource
from sttd.pool.source import Source
from tests.pool.contract import rays
from tests.pool.contract.fake import FakeSource, FakeWorker, fakes, is_fake_stopped, signal_fake
from tests.pool.contract.far import FAR, SCRIPTED
from tests.pool.contract.rays import SharedRay


def _as_it_is(config: Config) -> Config:
    return config


def _behind_commands(config: Config) -> Config:
    """The workers of a configuration, as slots of a command."""
    remote = Remote("far", FAR, slots=config.worker_count(), cpu_threads=1)
    pool = dataclasses.replace(config.pool, workers=NONE, when_unreachable="wait")
    return dataclasses.replace(config, pool=pool, remotes=(remote,))


def is_process_stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


@dataclass(frozen=True)
class Kind:
    name: str
    sources: Callable[[Config], Sequence[Source]]
    worker: type  # whose `end` a test may make useless
    configured: Callable[[Config], Config] = _as_it_is
    is_stopped: Callable[[int], bool] = is_process_stopped  # the worker that `Started` names
    signal: Callable[[int, int], None] = os.kill
    exists: Callable[[int], bool] = psutil.pid_exists
    lacks: frozenset[str] = field(default=frozenset())  # what cases may need: a process, a place on this machine


KINDS = [
    Kind("local", lambda config: [LocalSource(config, worker=SCRIPTED)], WorkerProcess, lacks=frozenset({"elsewhere"})),
    Kind(
        "command",
        lambda config: [CommandSource(config, "far")],
        CommandWorker,
        _behind_commands,
        lacks=frozenset({"here"}),
    ),
    Kind(
        "ray",
        lambda config: [SharedRay(config)],
        CommandWorker,
        rays.configured,
        is_stopped=lambda pid: is_process_stopped(rays.outer(pid)),
        signal=rays.signal,
        exists=rays.exists,
        lacks=frozenset({"here"}),
    ),
    Kind(
        "fake",
        lambda config: [FakeSource(config)],
        FakeWorker,
        is_stopped=is_fake_stopped,
        signal=signal_fake,
        exists=lambda number: number in fakes(),
        lacks=frozenset({"process", "elsewhere"}),
    ),
]
