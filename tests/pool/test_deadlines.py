"""Who is over their time, for any time of day."""

from __future__ import annotations

import pytest

from sttd.rules.deadlines import Deadlines, liveness_limit, longest_start, timed_out


def ticked(clocks: Deadlines, start: int, end: int) -> None:
    for now in range(start, end + 1):
        clocks.tick(now, 1.0)


def test_before_started_every_sign_of_life_starts_the_clock_again():
    clocks = Deadlines()
    clocks.waiting("1.0", 0, 60)
    ticked(clocks, 0, 50)
    clocks.alive("1.0", 50)
    ticked(clocks, 51, 109)
    assert clocks.overdue(110) == []
    assert clocks.overdue(110.5) == [("1.0", 60)]


def test_before_started_signs_of_life_without_end_end():
    """A worker that says nothing but that it lives had its slot for ever."""
    clocks, most = Deadlines(), longest_start(60, 1_000_000)
    assert most == 60 + 3600 + 100
    assert timed_out(longest_start(60, 1_234_567)) == "⏰ Job timed out after 3783 seconds", "and no fractions of one"
    clocks.waiting("1.0", 0, 60, most)
    for now in range(int(most)):
        clocks.tick(now, 1.0)
        clocks.alive("1.0", now)
    assert clocks.overdue(most) == []
    assert clocks.overdue(most + 0.5) == [("1.0", most)]
    clocks.charge("1.0", most + 1, 30)
    assert clocks.overdue(most + 5) == []


def test_a_standstill_before_started_is_nobodys_too():
    clocks = Deadlines()
    clocks.waiting("1.0", 0, 60, 100)
    ticked(clocks, 0, 50)
    clocks.tick(1050, 1.0)
    clocks.alive("1.0", 1050)
    ticked(clocks, 1051, 1099)
    assert clocks.overdue(1099) == []
    assert clocks.overdue(1100) == [("1.0", 100)]


def test_after_started_progress_does_not_lengthen_the_time():
    clocks = Deadlines()
    clocks.waiting("1.0", 0, 60)
    clocks.charge("1.0", 55, 30)
    ticked(clocks, 0, 85)
    clocks.alive("1.0", 80)
    assert clocks.overdue(85) == [], "the limit itself is allowed"
    assert clocks.overdue(85.5) == [("1.0", 30)]
    clocks.remove("1.0")
    assert clocks.overdue(1000) == []


def test_who_says_again_and_again_that_it_starts_gets_no_more_time():
    """As a worker that was given sttd's own sample: its slot was taken for ever, and the queue held."""
    clocks = Deadlines()
    clocks.waiting("sample", 0, 60)
    for now in range(0, 31, 10):
        ticked(clocks, now, now + 9)
        clocks.charge("sample", now, 30)
    assert clocks.overdue(30) == []
    assert clocks.overdue(30.5) == [("sample", 30)]
    clocks.waiting("sample", 31, 60)
    clocks.charge("sample", 32, 30)
    assert clocks.overdue(34) == [], "the next attempt has its own time"


def test_a_standstill_is_charged_to_nobody_even_where_the_sweep_comes_first():
    clocks = Deadlines()
    ticked(clocks, 0, 10)
    clocks.charge("1.0", 0, 20)
    clocks.charge("2.0", 9.5, 20)
    assert clocks.overdue(1010) == [], "999 s of 1000 were nobody's"
    ticked(clocks, 1011, 1018)
    assert clocks.overdue(1019.5) == [("1.0", 20)]
    ticked(clocks, 1020, 1027)
    assert clocks.overdue(1028) == [("1.0", 20)]
    assert clocks.overdue(1029) == [("1.0", 20), ("2.0", 20)]


def test_a_loop_that_is_only_slow_gives_no_time_away():
    clocks = Deadlines()
    clocks.charge("1.0", 0, 20)
    for now in (0, 4, 8, 12, 16, 20):
        clocks.tick(now, 1.0)
    assert clocks.overdue(21) == [("1.0", 20)]


def test_what_began_during_the_standstill_gets_no_time_from_before():
    clocks = Deadlines()
    clocks.tick(0, 1.0)
    clocks.charge("1.0", 90, 20)
    clocks.tick(100, 1.0)
    ticked(clocks, 101, 119)
    assert clocks.overdue(120) == []
    assert clocks.overdue(121) == [("1.0", 20)]


def test_keys_that_are_unknown_are_no_error():
    clocks = Deadlines()
    clocks.alive("9.0", 1)
    clocks.remove("9.0")
    assert clocks.overdue(1) == []


@pytest.mark.parametrize(("limit", "words"), [(1800.0, "1800"), (5.0, "5"), (2.5, "2.5"), (1_000_000.0, "1000000")])
def test_the_line_that_operators_search_for(limit, words):
    assert timed_out(limit) == f"⏰ Job timed out after {words} seconds"


def test_two_loads_fit_into_the_time_of_silence():
    assert liveness_limit(300) == 660
