"""The loop's thread: what goes wrong in one step costs that step, not the daemon."""

from __future__ import annotations

import errno
import math
import os
import signal

import pytest

from sttd.daemon import dispatch, results, sweep
from sttd.daemon.errands import Fault
from sttd.daemon.faults import MOST
from sttd.daemon.guard import guard
from sttd.daemon.loop import Loop
from sttd.daemon.signals import Signal
from sttd.daemon.troubles import Troubles
from sttd.errors import LedgerError, UsageError
from sttd.host.sd_notify import Notifier
from sttd.job import Identity, State
from sttd.ledger import Checkpoint, live
from sttd.part import Cause
from tests.harness import PATIENCE, wait_for
from tests.properties.stations import Pool


def test_a_message_that_meets_a_fault_while_the_ledger_is_in_trouble_does_not_end_the_daemon(stations, monkeypatch):
    """The job cannot be failed then: the message waits for the ledger, as all others do."""
    context, inputs = stations
    loop = Loop(context, inputs, Notifier())
    met = []

    def fails(event) -> None:
        met.append(event)
        raise LedgerError("the disk is full")

    monkeypatch.setattr(loop, "_handle", fails)
    inputs.put(Signal(signal.SIGHUP))
    loop._trouble("ledger", LedgerError("the disk is full"))
    assert list(loop._waiting) == met


def test_the_status_says_that_the_ledger_cannot_be_written(stations):
    """A person asks for it then, and what `sttd status` prints of a daemon is what it has written last."""
    context, inputs = stations
    loop = Loop(context, inputs, Notifier())
    loop._trouble("ledger", LedgerError("the disk is full"))
    assert live.read(live.path_of(context.config.paths.state, {}), os.getpid())["trouble"] == ["the disk is full"]


def test_the_count_of_errands_is_right_after_a_fault(stations):
    """A drain, and the daemon's end, wait for it to come to nothing."""
    context, inputs = stations
    job = context.ledger.add("a.mp3", Identity(1, 1), 0.0)

    def odd(*_):
        raise KeyError("odd")

    context.work.errands.post("goes wrong", odd, print, print, job.id)
    context.work.errands.post("is answered wrongly", lambda: None, odd, print, job.id)
    real = context.ledger.find
    for left in (1, 0):
        finished = inputs.get(timeout=PATIENCE)

        def broken(number):
            raise LedgerError("the disk is full")

        context.ledger.find = broken  # the job cannot be failed at once: the outcome is handed over once more
        with pytest.raises(LedgerError), guard(context, job.id):
            finished.settle()
        context.ledger.find = real
        with guard(context, job.id):
            finished.settle()
        assert context.work.errands.under_way == left


def broken_errands(context, inputs, where: str, count: int) -> Loop:
    """A loop that finds the outcomes of errands about as many jobs, which meet a fault in sttd, and then a signal."""

    def odd(*_):
        raise KeyError("odd")

    work, then = (odd, print) if where == "work" else (lambda: None, odd)
    for number in range(1, count + 1):
        job = context.ledger.add(f"{number}.mp3", Identity(1, 1), 0.0)
        context.work.errands.post("goes wrong", work, then, print, job.id)
        wait_for(lambda number=number: inputs.qsize() == number, "its outcome waits for the loop")
    inputs.put(Signal(signal.SIGTERM))
    context.clock = lambda: 0.0  # no tick comes between, however slow this machine is
    return Loop(context, inputs, Notifier())


@pytest.mark.parametrize("where", ["work", "then"])
def test_file_work_that_meets_a_fault_fails_its_job_and_the_loop_goes_on(stations, where):
    """Off the loop, or on it where the outcome is handed over: the signal behind it is obeyed."""
    context, inputs = stations
    loop = broken_errands(context, inputs, where, 1)
    assert loop.run(lambda: context.config, drain=False) == 0
    job = context.ledger.get(1)
    assert job.state is State.FAILED
    assert "a fault in sttd" in (job.error or "")


@pytest.mark.parametrize(("where", "kind"), [("work", Fault), ("then", KeyError)])
def test_file_work_of_job_after_job_that_meets_a_fault_ends_the_daemon(stations, where, kind):
    """With the last of them; those before it have failed by themselves."""
    context, inputs = stations
    loop = broken_errands(context, inputs, where, MOST)
    with pytest.raises(kind, match="odd"):
        loop.run(lambda: context.config, drain=False)
    states = [job.state for job in context.ledger.jobs(newest=False)]
    assert states == [State.FAILED] * (MOST - 1) + [State.QUEUED]


def test_an_error_about_one_job_that_nobody_answers_fails_that_job(stations):
    context, _ = stations
    job = context.ledger.add("a.mp3", Identity(1, 1), 0.0)
    with guard(context, job.id):
        raise UsageError("there is no such thing")
    assert context.ledger.get(job.id).state is State.FAILED


def test_failed_jobs_whose_sources_meet_a_fault_each_time_wait_alone(stations, log):
    """Each was tried once a second, and three of them ended the daemon, at each start too."""
    context, _ = stations
    failed = {"state": State.FAILED, "plan": {"step": "fail"}, "finished_at": 0.0}
    for number in range(1, 2 * MOST):
        context.ledger.add(f"{number}.mp3", Identity(1, 1), 0.0, **failed)
        for _ in range(2):
            with guard(context, number):
                raise KeyError("odd")
        assert context.filing.tries.waits(number, context.clock())
    assert len(context.ledger.planned()) == len(context.troubles.jobs()) == 2 * MOST - 1
    assert len([line for line in log if "its files cannot be moved" in line]) == 2 * MOST - 1
    assert not context.troubles.hold()


def test_a_folder_of_a_strange_name_among_the_checkpoints_does_not_prevent_a_start(stations):
    context, _ = stations
    for name in ("9" * 30, "-1", "odd"):
        (context.config.paths.state / "work" / name).mkdir(parents=True)
    sweep.recover(context)


def test_a_close_that_goes_wrong_is_an_end_all_the_same(stations, monkeypatch):
    context, inputs = stations

    def odd(grace):
        raise PermissionError("a worker may not be signalled")

    monkeypatch.setattr(context.pool, "close", odd)
    inputs.put(Signal(signal.SIGTERM))
    assert Loop(context, inputs, Notifier()).run(lambda: context.config, drain=False) == 0


def test_a_figure_that_the_ledger_does_not_take_fails_its_job_and_no_other(stations):
    """It was taken for a full disk: the daemon tried it again for ever, and did nothing else."""
    context, _ = stations
    context.pool = Pool()
    for number in range(2):
        context.ledger.add(f"{number}.mp3", Identity(number, 1), 0.0)
    dispatch.dispatch(context)
    odd, sound = context.running.values()
    odd.unsaved, sound.unsaved = {"progress": math.nan}, {"progress": 1.0}
    results.save(context)
    assert context.ledger.get(odd.job.id).state is State.FAILED
    assert context.ledger.get(sound.job.id).progress == 1.0


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_checkpoint_that_cannot_be_read_lets_the_other_jobs_go_first(stations, monkeypatch, log, number):
    """One that root had made held up all jobs for ever. A disk that fails holds them up for a while."""
    context, _ = stations
    context.pool, now = Pool(), [1e9]
    context.clock = context.utc = lambda: now[0]
    context.troubles = Troubles(context.clock)
    real = Checkpoint.resume

    def resume(checkpoint):
        if checkpoint.path.parent.name == "1":
            raise OSError(number, "no", str(checkpoint.path))
        return real(checkpoint)

    monkeypatch.setattr(Checkpoint, "resume", resume)
    for source in "ab":
        context.ledger.add(source, Identity(1, 1), now[0])
    for _ in range(4):
        dispatch.dispatch(context)
        now[0] += context.config.pool.machine_wait + 1
    assert list(context.running) == ["2.0"]
    row = context.ledger.get(1)
    assert (row.state, row.cause, row.attempt) == (State.QUEUED, Cause.MACHINE, 0)
    lines = [line for line in log if "its checkpoint cannot be read" in line]
    assert 0 < len(lines) <= 2, "not one for each try"
