"""A pool of scripted workers, and the events that it told."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sttd.config import Config
from sttd.part import ENDS, Event, ModelSpec, Options, PartSpec
from sttd.pool.local.source import LocalSource
from sttd.pool.pool import Pool
from tests.harness import PATIENCE
from tests.pool.contract.kinds import Kind
from tests.pool.contract.rays import Shared
from tests.pool.ray.cluster import Cluster, cluster

SCRIPTED = "tests.pool.scripted"


def part(folder: Path, part_id: str, script: str, **changes) -> PartSpec:
    """`script` is what the recording in `folder` says."""
    path = folder / f"{part_id}.{changes.get('attempt', 1)}"
    path.write_text(script)
    seen, model = path.stat(), changes.pop("model", "demo")
    spec = PartSpec(part_id, 1, str(path), seen.st_size, seen.st_mtime_ns, ModelSpec(model), Options())
    return dataclasses.replace(spec, **changes)


class Rig:
    """A pool of workers of one kind, the events that came, and the turns of its clock."""

    def __init__(
        self, workers: int = 1, worker: str = SCRIPTED, oom_kills=None, memory=None, kind: Kind | None = None, **pool
    ):
        config = Config()
        pool = {"workers": workers, "kill_grace": 0.5} | pool
        config = dataclasses.replace(
            config,
            pool=dataclasses.replace(config.pool, **pool),
            memory=dataclasses.replace(config.memory, **(memory or {})),
        )
        self.kind, self.base = kind, config
        self.config = kind.configured(config) if kind else config
        self.folder = Path(tempfile.mkdtemp(prefix="sttd-pool-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        local = lambda made: [LocalSource(made, worker=worker, oom_kills=oom_kills)]  # noqa: E731
        self.pool = Pool(self.config, kind.sources if kind else local)
        self.events: list[Event] = []  # appended by the readers' threads; append is atomic
        self.pool.start(self.events.append)

    def part(self, part_id: str, script: str, **changes) -> PartSpec:
        return part(self.folder, part_id, script, **changes)

    def reach(self, slots: int = 1) -> None:
        """Until so many slots are free: workers elsewhere have to be reached."""

        def reached() -> bool:
            self.pool.want(slots - self.pool.free_slots())
            return self.pool.free_slots() >= slots

        if self.pool.free_slots() < slots:
            self.wait(reached, "slots")

    def submit(self, part_id: str, script: str, **changes) -> PartSpec:
        self.reach()
        spec = self.part(part_id, script, **changes)
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

    def run(self, part_id: str, script: str, **changes):
        self.submit(part_id, script, **changes)
        return self.end(part_id)

    def pids(self) -> list[int]:
        return [view.pid for view in self.pool.workers() if view.pid]

    def states(self) -> list[str]:
        return [view.state for view in self.pool.workers()]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with Ray before all others: pytest-xdist gives the first ones to one process, which starts one cluster.

    It deals the tests out in their order, and takes from the end of a process's share for another one that has none left.
    """
    items.sort(key=lambda item: not ("ray_cluster" in item.fixturenames or "[ray" in item.name))


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Cluster]:
    """A cluster of one node, and a driver that many pools have in common."""
    with cluster() as Shared.cluster:
        yield Shared.cluster
        if Shared.link is not None:
            Shared.link.close()
            Shared.link = None


def worker_processes() -> list[psutil.Process]:
    """Our children that are workers; not multiprocessing's resource tracker, nor what a booted systemd of ours runs."""
    ours = _pid_namespace(os.getpid())
    found = []
    for each in psutil.Process(os.getpid()).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):  # it is dead already, or not yet reaped
            if "from multiprocessing.spawn import" in " ".join(each.cmdline()) and _pid_namespace(each.pid) == ours:
                found.append(each)
    return found


def _pid_namespace(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/pid")


def check(told: Rig) -> None:
    """Close the pool: each part that was taken must then have exactly one end, as the last that was told of it."""
    told.pool.close(0.0)
    shutil.rmtree(told.folder)
    assert told.pool.workers() == []
    keys = {(event.part_id, event.attempt) for event in told.events}
    for key in keys:
        events = [event for event in told.events if (event.part_id, event.attempt) == key]
        assert [isinstance(event, ENDS) for event in events].count(True) == 1, events
        assert isinstance(events[-1], ENDS), events


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    """Pools that are closed and checked with the test; no worker may live then."""
    made: list[Rig] = []

    def make(*args, **kwargs) -> Rig:
        made.append(Rig(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        check(each)
    assert worker_processes() == []
