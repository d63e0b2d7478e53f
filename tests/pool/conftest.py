"""A pool of scripted workers, and the events that it told."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from sttd.config import Config
from sttd.part import ENDS, Event, ModelSpec, Options, PartSpec
from sttd.pool.local.source import LocalSource
from sttd.pool.pool import Pool
from tests.harness import PATIENCE

SCRIPTED = "tests.pool.scripted"


def part(part_id: str, source: str, **changes) -> PartSpec:
    model = changes.pop("model", "demo")
    spec = PartSpec(part_id, 1, source, 0, 0, ModelSpec(model), Options())
    return dataclasses.replace(spec, **changes)


class Rig:
    """A pool of local workers, the events that came, and the turns of its clock."""

    def __init__(self, workers: int = 1, worker: str = SCRIPTED, oom_kills=None, memory=None, **pool):
        config = Config()
        pool = {"workers": workers, "kill_grace": 0.5} | pool
        config = dataclasses.replace(
            config,
            pool=dataclasses.replace(config.pool, **pool),
            memory=dataclasses.replace(config.memory, **(memory or {})),
        )
        self.pool = Pool(config, [LocalSource(config, worker=worker, oom_kills=oom_kills)])
        self.events: list[Event] = []  # appended by the readers' threads; append is atomic
        self.pool.start(self.events.append)

    def submit(self, part_id: str, source: str, **changes) -> PartSpec:
        spec = part(part_id, source, **changes)
        self.pool.submit(spec)
        return spec

    def wait(self, condition: Callable[[], object], what: str = "") -> object:
        """Turn the pool's clock until the condition holds."""
        end = time.monotonic() + PATIENCE
        for turn in itertools.count(1):
            value = condition()
            if value:
                return value
            if turn % 10 == 0:
                self.pool.tick(time.monotonic())
            assert time.monotonic() < end, f"waited in vain: {what}; {self.events[-5:]}"
            time.sleep(0.003)
        raise AssertionError

    def of(self, part_id: str, kind=object) -> list[Event]:
        return [event for event in list(self.events) if event.part_id == part_id and isinstance(event, kind)]

    def seen(self, part_id: str, kind, count: int = 1):
        """Wait for the `count`th event of a kind."""
        return self.wait(lambda: (self.of(part_id, kind) + [None] * count)[count - 1], f"{part_id} {kind}")

    def end(self, part_id: str):
        return self.seen(part_id, ENDS)

    def run(self, part_id: str, source: str, **changes):
        self.submit(part_id, source, **changes)
        return self.end(part_id)

    def pids(self) -> list[int]:
        return [view.pid for view in self.pool.workers() if view.pid]

    def states(self) -> list[str]:
        return [view.state for view in self.pool.workers()]


def worker_processes() -> list[psutil.Process]:
    """Our children that are workers; not multiprocessing's resource tracker."""
    children = psutil.Process(os.getpid()).children(recursive=True)
    found = []
    for each in children:
        with contextlib.suppress(psutil.NoSuchProcess):  # it is dead already, or not yet reaped
            if "spawn_main" in " ".join(each.cmdline()):
                found.append(each)
    return found


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    """Pools that are closed with the test; each part that was taken must then have exactly one end, and no worker live."""
    made: list[Rig] = []

    def make(*args, **kwargs) -> Rig:
        made.append(Rig(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.pool.close(0.0)
        assert each.pool.workers() == []
        keys = {(event.part_id, event.attempt) for event in each.events}
        for key in keys:
            told = [event for event in each.events if (event.part_id, event.attempt) == key]
            assert [isinstance(event, ENDS) for event in told].count(True) == 1, told
            assert isinstance(told[-1], ENDS), told
    assert worker_processes() == []
