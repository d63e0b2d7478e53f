"""What a round of the loop costs depends on what is due, not on what waits: counted in SQLite's steps, not by a clock."""

from __future__ import annotations

from sttd.daemon import dispatch, filing
from sttd.daemon.draining import is_drained
from sttd.job import Identity, State
from sttd.part import Cause
from tests.daemon.test_twins import counted, steps_of_sqlite

MANY = 2000


def test_jobs_whose_time_has_not_come_cost_a_round_nothing(stations):
    """Three hundred thousand took a tenth of a second in each."""
    context, _ = stations
    ledger, later = context.ledger, context.utc() + 3600
    with ledger.transaction():
        for number in range(MANY):
            ledger.add(
                f"{number}.mp3", Identity(number, 1, number % 3), 1.0, not_before=later, service=float(number % 2)
            )
    context.pool.free_slots = lambda: 1
    assert steps_of_sqlite(ledger, lambda: dispatch.dispatch(context)) < MANY
    assert dispatch.pick(context, set()) is None
    due = ledger.add("due.mp3", Identity(1, 2, 1), 2.0, not_before=context.utc() - 1)
    ledger.end_waits(context.utc())
    assert steps_of_sqlite(ledger, lambda: dispatch.pick(context, set())) < MANY
    assert dispatch.pick(context, set()) == ("fresh", ledger.get(due.id))
    assert counted(ledger, lambda: ledger.end_waits(context.utc())) == 1  # nothing is due: nothing is written


def failed(context, count: int) -> list[int]:
    """Jobs whose sources are to be put aside, each tried in vain a moment ago."""
    jobs = []
    with context.ledger.transaction():
        for number in range(count):
            fields = {"state": State.FAILED, "plan": {"step": "fail"}, "finished_at": 1.0}
            jobs.append(context.ledger.add(f"{number}.mp3", Identity(number, 1), 1.0, **fields).id)
            context.filing.tries.put_off(jobs[-1], context.clock(), 3600.0, growing=False)
    return jobs


def test_files_that_wait_for_their_next_try_cost_a_round_the_same_however_many(stations):
    """Every row with a plan was read each second."""
    context, _ = stations
    failed(context, 2 * filing.PAGE)
    few = steps_of_sqlite(context.ledger, lambda: filing.resume(context))
    failed(context, 6 * filing.PAGE)
    many = [steps_of_sqlite(context.ledger, lambda: filing.resume(context)) for _ in range(10)]
    assert max(many) <= 1.2 * few
    assert not len(context.filing.tries)


def test_each_row_has_its_turn_and_what_is_due_again_has_it_at_once(stations):
    context, _ = stations
    jobs = failed(context, 3 * filing.PAGE)
    new, due, gone = jobs[-1], jobs[-2], jobs[-3]
    context.filing.tries.end(new)
    for _ in range(4):  # the pages, and the one behind the last
        filing.resume(context)
    assert new in context.filing.tries
    context.troubles.begin_for(gone, "odd", "odd")
    context.ledger.update(context.ledger.get(gone), plan=None)
    for number in (due, gone):
        context.filing.tries.put_off(number, context.clock(), 0.0, growing=False)
    filing.resume(context)
    assert due in context.filing.tries
    assert context.filing.tries.may_begin(gone, context.clock())
    assert not context.troubles.jobs()  # nothing is to be done for it any more


def test_whether_a_drain_is_over_costs_the_same_however_many_jobs_wait(stations):
    """It is asked in each round: every row that waits for the machine was read, and every row with a plan."""
    context, _ = stations
    ledger = context.ledger

    def waiting(count: int) -> None:
        with ledger.transaction():
            for number in range(count):
                ledger.add(f"{number}.mp3", Identity(number, 1), 1.0, not_before=9e9, cause=Cause.MACHINE)

    waiting(MANY)
    assert is_drained(context)
    crashed = ledger.add("last.mp3", Identity(1, 1), 2.0, not_before=9e9, cause=Cause.CRASH)
    failed(context, MANY)
    assert not is_drained(context)
    few = steps_of_sqlite(ledger, lambda: is_drained(context))
    assert few < MANY / 10
    waiting(4 * MANY)
    failed(context, MANY)
    assert steps_of_sqlite(ledger, lambda: is_drained(context)) <= few + 200
    ledger.update(crashed, cause=None)
    assert not is_drained(context)
    ledger.update(ledger.get(crashed.id), cause=Cause.UNREADABLE)
    assert is_drained(context)
