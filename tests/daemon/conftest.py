"""A daemon's stations without its loop."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from sttd.config import Config
from sttd.configfile import load
from sttd.daemon import dispatch
from sttd.daemon.context import Context
from sttd.daemon.errands import Errands, FileWork
from sttd.ledger import Ledger
from sttd.pool.build import pool_of
from sttd.rules.deadlines import Deadlines
from tests.harness import wait_for
from tests.memory import tmp_path
from tests.properties.stations import Stations

__all__ = ["tmp_path"]


def context_of(config: Config, ledger: Ledger, inputs: queue.SimpleQueue) -> Context:
    """One without an inbox, whose errands come back into `inputs`."""
    work = FileWork(*(Errands(inputs.put) for _ in range(4)))
    return Context(config, ledger, pool_of(config), None, work, Deadlines())


@pytest.fixture
def stations(tmp_path: Path):
    """A context whose pool is never started, and the queue of its errands."""
    config = load(None, root=tmp_path, sets=["model.name=demo"], environ={})
    for folder in ("inbox", "state"):
        (tmp_path / folder).mkdir()
    ledger = Ledger.open(tmp_path / "state" / "ledger.db")
    inputs: queue.SimpleQueue = queue.SimpleQueue()
    context = context_of(config, ledger, inputs)
    yield context, inputs
    for errands in context.work.all():
        errands.close()
    wait_for(lambda: not context.work.operations(), "no thread writes into the folder, which is removed now")
    ledger.close()


@pytest.fixture
def bench(tmp_path):
    """Stations whose one job has just been given to a worker."""
    bench = Stations(tmp_path, "archive")
    (tmp_path / "inbox" / "a.mp3").write_text("a")
    bench.look()
    dispatch.dispatch(bench.context)
    yield bench
    bench.context.ledger.close()
