"""When is something due again? (sttd/rules/due.py)"""

from __future__ import annotations

from sttd.rules.due import Schedule


def test_something_is_due_at_once_and_then_each_interval():
    schedule = Schedule()
    assert [now for now in range(0, 100, 5) if schedule.due("sweep", 20.0, float(now))] == [0, 20, 40, 60, 80]
    assert schedule.wait(85.0, 60.0) == 15.0
    assert schedule.wait(300.0, 60.0) == 0.0


def test_an_interval_that_a_reload_made_shorter_is_in_force_at_once():
    """And one that was made longer: the old end of the wait does not count any more."""
    schedule = Schedule()
    assert schedule.due("memory log", 600.0, 0.0)
    assert not schedule.due("memory log", 5.0, 4.0)
    assert schedule.wait(4.0, 60.0) == 1.0
    assert schedule.due("memory log", 5.0, 5.0)
    assert not schedule.due("memory log", 600.0, 10.0)
    assert schedule.wait(10.0, 1000.0) == 595.0
