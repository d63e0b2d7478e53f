"""What nobody expected, met with one job: that job fails, the daemon and all others go on."""

from __future__ import annotations

import pytest

from sttd.daemon.faults import MOST
from sttd.daemon.guard import guard
from sttd.errors import LedgerError, NoSuchJob, Stale
from sttd.job import Identity, State
from sttd.part import Cause


def job(context, name: str = "a.mp3", **fields):
    return context.ledger.add(name, Identity(1, 1), 0.0, **fields)


def meet(context, number: int) -> None:
    with guard(context, number):
        raise KeyError("odd")


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.COMMITTING])
def test_an_unexpected_exception_about_one_job_fails_that_job(stations, log, state):
    context, _ = stations
    job(context, state=state)
    other = job(context, "b.mp3")
    meet(context, 1)
    failed = context.ledger.get(1)
    assert (failed.state, failed.cause, failed.plan) == (State.FAILED, Cause.ERROR, {"step": "fail"})
    assert "a fault in sttd (KeyError: 'odd')" in (failed.error or "")
    assert [line for line in log if "Traceback" in line]
    assert context.ledger.get(other.id).state is State.QUEUED


def test_a_job_whose_file_was_being_looked_at_is_looked_at_again_after_a_retry(stations):
    """The look met the fault, and never comes back."""
    context, _ = stations
    job(context)
    context.recordings.unreadable.looking.add(1)
    meet(context, 1)
    assert context.recordings.unreadable.looking == set()


def test_a_job_whose_results_may_be_in_place_goes_on_with_its_promise(stations):
    """It failed, with its transcript in place and its source archived. A fault that stays fails it after all."""
    context, _ = stations
    promise = {"source": "a.mp3"}  # a plan without a step
    job(context, state=State.COMMITTING, plan=promise)
    for _ in range(MOST - 1):
        meet(context, 1)
        row = context.ledger.get(1)
        assert (row.state, row.plan) == (State.COMMITTING, promise)
        assert context.filing.tries.waits(1, context.clock())
    meet(context, 1)
    assert context.ledger.get(1).state is State.FAILED


def test_faults_with_different_jobs_in_a_row_end_the_daemon(stations):
    """Then it is no odd recording: systemd starts it anew, or tells that it does not work."""
    context, _ = stations
    for number in range(MOST):
        job(context, f"{number}.mp3")
    for number in range(1, MOST):
        meet(context, number)
    with pytest.raises(KeyError):
        meet(context, MOST)


def test_a_job_that_ends_well_between_faults_lets_the_daemon_live(stations):
    context, _ = stations
    for number in range(1, 3 * MOST):
        job(context, f"{number}.mp3")
        meet(context, number)
        context.judging.faults.ended_well()


def test_the_same_job_counts_once(stations):
    context, _ = stations
    job(context)
    for _ in range(3 * MOST):
        meet(context, 1)


@pytest.mark.parametrize("fact", [Stale("it went on"), NoSuchJob(1)])
def test_a_row_that_has_gone_on_is_no_fault(stations, fact):
    context, _ = stations
    job(context)
    with guard(context, 1):
        raise fact
    assert context.ledger.get(1).state is State.QUEUED


def test_what_is_the_machines_fault_is_left_to_the_loop(stations):
    context, _ = stations
    with pytest.raises(LedgerError), guard(context, 1):
        raise LedgerError("the disk is full")
