"""When the wall clock may decide what is old."""

from __future__ import annotations

from hypothesis import given, strategies as st

from sttd.rules.clock import DAY, WallClock

NOW = 1e9


def test_time_that_passes_is_believed():
    clock = WallClock(NOW, 0.0)
    assert [clock.look(NOW + hours * 3600, hours * 3600) for hours in range(100)] == [(False, True)] * 100


def test_a_jump_of_more_than_a_day_is_told_once_and_not_believed_until_it_has_gone_on_for_a_day():
    clock = WallClock(NOW, 0.0)
    assert clock.look(NOW + 400 * DAY, 10.0) == (True, False)
    assert clock.ahead == 400 * DAY - 10
    assert clock.look(NOW + 401 * DAY - 100, DAY - 90) == (False, False)
    assert clock.look(NOW + 401 * DAY, DAY + 10) == (False, True)
    assert clock.look(NOW + 401 * DAY, DAY + 10) == (False, True)


def test_a_clock_that_is_put_right_is_believed_at_once():
    clock = WallClock(NOW, 0.0)
    clock.look(NOW + 400 * DAY, 0.0)
    assert clock.look(NOW + 60, 60.0) == (False, True)


def test_a_clock_that_was_set_back_makes_nothing_old():
    clock = WallClock(NOW, 0.0)
    assert clock.look(NOW - 400 * DAY, 1.0) == (False, True)


@given(st.lists(st.tuples(st.floats(0, 2 * DAY), st.floats(-10 * DAY, 10 * DAY)), max_size=20))
def test_whatever_the_clock_does_it_gains_no_more_than_a_day_without_having_run_for_one(steps):
    """(Seconds that pass, seconds by which the clock is set.) What is removed may be a day too young at each step."""
    utc, boot, clock = NOW, 0.0, WallClock(NOW, 0.0)
    believed, at = NOW, 0.0
    for passed, jump in steps:
        utc, boot = utc + passed + jump, boot + passed
        if clock.look(utc, boot)[1]:
            assert utc - believed <= (boot - at) + DAY + 1e-3 or boot - at >= DAY
            believed, at = utc, boot
