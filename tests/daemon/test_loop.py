"""The loop's thread: what goes wrong in one step costs that step, not the daemon."""

from __future__ import annotations

import signal

import pytest

from sttd.daemon import sweep
from sttd.daemon.guard import guard
from sttd.daemon.loop import Loop
from sttd.daemon.signals import Signal
from sttd.errors import LedgerError, UsageError
from sttd.host.notify import Notifier
from sttd.job import Identity, State
from tests.harness import PATIENCE


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


def test_the_count_of_errands_is_right_after_a_fault(stations):
    """A drain, and the daemon's end, wait for it to come to nothing."""
    context, inputs = stations
    job = context.ledger.add("a.mp3", Identity(1, 1), 0.0)

    def odd(*_):
        raise KeyError("odd")

    context.errands.post("goes wrong", odd, print, print, job.id)
    context.errands.post("is answered wrongly", lambda: None, odd, print, job.id)
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
        assert context.errands.under_way == left


def test_an_error_about_one_job_that_nobody_answers_fails_that_job(stations):
    context, _ = stations
    job = context.ledger.add("a.mp3", Identity(1, 1), 0.0)
    with guard(context, job.id):
        raise UsageError("there is no such thing")
    assert context.ledger.get(job.id).state is State.FAILED


def test_a_failed_job_whose_source_meets_a_fault_each_time_is_let_go(stations, log):
    """It stays where it is. Once a second it met the fault again, and three of them ended the daemon, at each start too."""
    context, _ = stations
    job = context.ledger.add("a.mp3", Identity(1, 1), 0.0, state=State.FAILED, plan={"step": "fail"}, finished_at=0.0)
    with guard(context, job.id):
        raise KeyError("odd")
    assert context.ledger.planned() == []
    assert [line for line in log if "a.mp3 stays where it is" in line]


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
