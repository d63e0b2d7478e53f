"""The daemon ends within its time, whatever file work is under way: what it was to do stands in the ledger."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import signal
import threading
from collections.abc import Iterator

import pytest

from sttd import daemon
from sttd.configfile import load
from sttd.daemon.loop import Loop
from sttd.daemon.signals import Signal
from sttd.errors import LedgerCorrupt
from sttd.host.sd_notify import Notifier
from sttd.job import State
from sttd.ledger import LEDGER, Ledger
from sttd.part import Cause
from tests import speech
from tests.harness import PATIENCE, Daemon, wait_for
from tests.shares import hanging


def run(context, inputs, grace: float, signals: int, loop: Loop | None = None) -> int:
    pool = dataclasses.replace(context.config.pool, stop_grace=grace)
    context.config = dataclasses.replace(context.config, pool=pool)
    for _ in range(signals):
        inputs.put(Signal(signal.SIGTERM))
    return (loop or Loop(context, inputs, Notifier())).run(lambda: context.config, drain=False)


@pytest.mark.parametrize(("grace", "signals"), [(0.1, 1), (3600.0, 2)])
def test_file_work_that_hangs_does_not_keep_the_daemon_from_its_end(stations, log, grace, signals):
    """After its grace, or at a second signal at once; what has not begun is dropped."""
    context, inputs = stations
    hang, hangs, begun = threading.Event(), threading.Semaphore(0), []
    for number in range(5):
        work = lambda number=number: (begun.append(number), hangs.release(), hang.wait())  # noqa: E731
        context.work.errands.post(f"copies {number}", work, print, print)
    for _ in range(2):  # as many as there are threads
        assert hangs.acquire(timeout=PATIENCE)
    assert run(context, inputs, grace, signals) == 0
    assert [line for line in log if "left in the middle" in line and "copies 0" in line]
    assert context.work.errands.under_way == 2, "what has not begun is no longer there"
    hang.set()
    assert sorted(begun) == [0, 1]


def test_a_life_that_ends_for_a_damaged_ledger_leaves_the_next_one_no_threads(tmp_path):
    """The ledger is made anew without a restart: two pools of threads moved files side by side afterwards."""
    config = load(None, root=tmp_path, sets=["model.name=demo"], environ={})
    config.paths.state.mkdir()
    before = set(threading.enumerate())
    with pytest.raises(LedgerCorrupt), daemon._stations(config, queue.SimpleQueue(), Notifier({})) as context:
        assert len(set(threading.enumerate()) - before) > len(context.work.all())
        raise LedgerCorrupt("it is damaged")
    wait_for(lambda: not set(threading.enumerate()) - before, "no thread is left")
    Ledger.open(config.paths.state / LEDGER).close()  # and nobody holds it


def test_file_work_that_ends_within_the_grace_is_waited_for(stations):
    """Also by a daemon whose workers have all ended."""
    context, inputs = stations
    done, loop = [], Loop(context, inputs, Notifier())
    context.work.errands.post(
        "copies", lambda: wait_for(lambda: loop._closed, "the workers have ended"), done.append, print
    )
    wait_for(context.work.errands.operations, "it is under way")
    assert run(context, inputs, 3600.0, 1, loop) == 0
    assert done == [True]


def test_a_daemon_reloads_and_ends_while_the_transcripts_lie_on_a_share_that_hangs(make_daemon):
    """A reload looks at no folder, and at its end it had nothing to do there but to remove an empty folder of its own."""
    daemon = make_daemon()
    daemon.transcripts.mkdir()
    daemon.start().wait_log("watches")
    with hanging(daemon.transcripts):
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_log("configuration loaded again", PATIENCE / 5)
        assert daemon.stop() == 0


@contextlib.contextmanager
def filing_into_a_share_that_hangs(daemon: Daemon) -> Iterator[None]:
    """The archive hangs from before a daemon's start; the source of job 2 is to go there."""
    speech.encode(daemon.inbox / "a.flac", speech.sample("english"))
    assert daemon.drain() == 0
    speech.encode(daemon.inbox / "b.flac", speech.sample("thai"))
    with hanging(daemon.archive):
        daemon.start().wait_state(State.COMMITTING, 2)
        wait_for(lambda: list(daemon.transcripts.glob("b.*.json")), "the source is next")
        yield


@pytest.mark.ci
@pytest.mark.parametrize(("grace", "signals"), [("2s", 1), ("1h", 2)])
def test_a_daemon_that_files_into_a_share_that_hangs_ends_in_its_time_and_the_next_one_goes_on(
    make_daemon, grace, signals
):
    """It says what it leaves in the middle. With a long grace it waits, until it is told once more."""
    daemon = make_daemon({"pool.stop_grace": grace})
    with filing_into_a_share_that_hangs(daemon):
        for _ in range(signals - 1):
            daemon.process.send_signal(signal.SIGTERM)
            wait_for(lambda: not daemon.children(), "its workers have ended")
            daemon.sttd("resume")
            daemon.wait_log("resumed")  # it is still there
        assert daemon.stop() == 0
        assert [line for line in daemon.log if "left in the middle" in line and "puts the results of b.flac" in line]
    assert daemon.drain() == 0
    assert [job.state for job in daemon.jobs()] == [State.DONE, State.DONE]
    assert (daemon.archive / "b.flac").exists()


@pytest.mark.ci
def test_a_job_whose_source_goes_to_a_share_that_hangs_is_cancelled_once_that_is_back(make_daemon):
    """The command answers at once; what was placed of its results is taken back, and its source stays."""
    daemon = make_daemon()
    with filing_into_a_share_that_hangs(daemon):
        assert daemon.sttd("cancel", "2").returncode == 0
        wait_for(lambda: daemon.job(2).cause is Cause.CANCELLED, "it is noted")
        assert daemon.job(2).state is State.COMMITTING
    daemon.wait_state(State.CANCELLED, 2)
    assert daemon.stop() == 0
    assert (daemon.inbox / "b.flac").exists()
    assert list(daemon.transcripts.glob("b.*")) == []
