"""What a round of the loop costs depends on what is due, not on what waits: counted in SQLite's steps, not by a clock."""

from __future__ import annotations

from sttd.daemon import dispatch
from sttd.job import Identity
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
