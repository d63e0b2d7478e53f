"""When the wall clock may decide what is old."""

from __future__ import annotations

from hypothesis import given, strategies as st

from sttd.rules.clock import DAY, HOUR, WEEK, ClockState, WallClock

NOW = 1e9


def test_time_that_passes_is_believed():
    clock = WallClock(ClockState(NOW), 0.0)
    assert [clock.look(NOW + hours * HOUR, hours * HOUR) for hours in range(100)] == [(False, True)] * 100


def test_a_jump_of_more_than_a_day_is_news_once_and_believed_when_it_has_been_so_for_a_day():
    clock = WallClock(ClockState(NOW), 0.0)
    assert clock.look(NOW + 400 * DAY, 10.0) == (True, False)
    assert clock.ahead == 400 * DAY - 10
    assert clock.look(NOW + 401 * DAY - 100, DAY - 90) == (False, False)
    assert clock.look(NOW + 401 * DAY, DAY + 10) == (False, True)
    assert clock.look(NOW + 401 * DAY, DAY + 10) == (False, True)


def test_a_doubt_outlives_the_daemon():
    """A machine that was off over the holidays and is switched off every night believes its clock the day after."""
    clock = WallClock(ClockState(NOW), 0.0)
    assert clock.look(NOW + 10 * DAY, 0.0) == (True, False)
    again = WallClock(clock.known, 5.0)
    assert again.look(NOW + 10.9 * DAY, 5.0) == (False, False)
    again = WallClock(again.known, 7.0)
    assert again.look(NOW + 11 * DAY, 7.0) == (False, True)
    assert again.known == ClockState(NOW + 11 * DAY)


def test_a_second_jump_begins_a_doubt_of_its_own():
    """While the daemon runs, and while it does not."""
    clock = WallClock(ClockState(NOW), 0.0)
    clock.look(NOW + 400 * DAY, 0.0)
    assert clock.look(NOW + 402 * DAY, 0.0) == (True, False)
    assert WallClock(clock.known, 0.0).look(NOW + 402 * DAY + 2 * WEEK, 0.0) == (True, False)


def test_a_clock_that_is_put_right_is_believed_at_once():
    clock = WallClock(ClockState(NOW), 0.0)
    clock.look(NOW + 400 * DAY, 0.0)
    assert clock.look(NOW + 60, 60.0) == (False, True)
    assert clock.known.doubted is None


def test_a_clock_that_was_set_back_makes_nothing_old():
    assert WallClock(ClockState(NOW), 0.0).look(NOW - 400 * DAY, 1.0) == (False, True)


@given(st.lists(st.tuples(st.floats(0, 2 * DAY), st.floats(-10 * DAY, 10 * DAY) | st.just(0.0)), max_size=20))
def test_whatever_the_clock_does_it_gains_no_more_than_a_day_unless_it_was_so_for_a_day(steps):
    """(Seconds that pass, seconds by which the clock is set.)"""
    utc, boot, clock = NOW, 0.0, WallClock(ClockState(NOW), 0.0)
    believed, at = NOW, 0.0
    for passed, jump in steps:
        utc, boot = utc + passed + jump, boot + passed
        if clock.look(utc, boot)[1]:
            assert utc - believed <= (boot - at) + DAY + 1e-3 or boot - at >= DAY - HOUR * len(steps)
            believed, at = utc, boot
