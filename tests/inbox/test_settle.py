"""When a file has settled and when it is gone: a table of looks, and properties of all tables."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from sttd.inbox.settle import SLOWEST, Tracker
from sttd.job import Identity

A, B = Identity(10, 1_000), Identity(20, 2_000)


@pytest.fixture
def tracker():
    return Tracker(settle=5.0, settle_closed=0.5)


def test_a_file_settles_when_it_stays_the_same_for_the_time_over_two_looks(tracker):
    assert not tracker.see("a", A, 100.0)
    assert tracker.settling == 1
    assert tracker.next_due() == 105.0
    assert not tracker.see("a", A, 104.9)
    assert tracker.due(104.9) == []
    assert tracker.due(105.0) == ["a"]
    assert tracker.see("a", A, 105.0)
    assert tracker.settling == 0
    assert tracker.next_due() == math.inf


def test_one_look_is_not_enough_however_old_the_file_is(tracker):
    assert not tracker.see("a", Identity(10, 0), 1e9)


@pytest.mark.parametrize("change", [Identity(11, 1_000), Identity(10, 1_001)])
def test_a_change_of_size_or_of_time_starts_the_quiet_again(tracker, change):
    tracker.see("a", A, 0.0)
    assert not tracker.see("a", change, 4.0)
    assert not tracker.see("a", change, 8.9)
    assert tracker.see("a", change, 9.0)


def test_settle_zero_takes_a_file_at_first_sight():
    assert Tracker(0.0, 0.5).see("a", A, 0.0)


def test_a_closed_file_needs_only_the_short_time(tracker):
    assert not tracker.see("a", A, 0.0, final=True)
    assert tracker.due(0.5) == ["a"]
    assert tracker.see("a", A, 0.5)


def test_a_file_that_was_quiet_long_enough_is_taken_when_it_is_closed(tracker):
    tracker.see("a", A, 0.0)
    assert tracker.see("a", A, 1.0, final=True)


def test_a_short_settle_is_not_made_longer_by_settle_closed():
    tracker = Tracker(settle=0.1, settle_closed=0.5)
    tracker.see("a", A, 0.0, final=True)
    assert tracker.see("a", A, 0.1)


def test_a_closed_file_that_is_written_on_needs_the_long_time_again(tracker):
    tracker.see("a", A, 0.0, final=True)
    assert not tracker.written("a", 0.2)
    assert not tracker.see("a", A, 0.5)
    assert not tracker.see("a", B, 1.0)
    assert not tracker.see("a", B, 1.5)
    assert tracker.see("a", B, 6.0)


def test_word_that_an_unknown_file_is_written_is_worth_a_look(tracker):
    assert tracker.written("a", 0.0)


@pytest.mark.parametrize("mtime", [0, -1, 2**62, -(2**40)])
def test_any_modification_time_is_as_good_as_another(tracker, mtime):
    tracker.see("a", Identity(1, mtime), 0.0)
    assert tracker.see("a", Identity(1, mtime), 5.0)
    assert not tracker.see("a", Identity(1, mtime), 9.0)


def tell(tracker, rel, identity, now):
    """Have it settled at `now + 5`."""
    tracker.see(rel, identity, now)
    assert tracker.see(rel, identity, now + 5)


def test_a_told_file_that_is_unchanged_is_not_told_again(tracker):
    tell(tracker, "a", A, 0.0)
    assert not any(tracker.see("a", A, now, final=True) for now in (6.0, 60.0, 6000.0))


def test_a_file_replaced_under_its_name_settles_and_is_told_again(tracker):
    tell(tracker, "a", A, 0.0)
    assert not tracker.see("a", B, 10.0, final=True)
    assert tracker.see("a", B, 10.5)


def test_a_file_that_keeps_changing_after_it_was_told_is_looked_at_less_and_less_often(tracker):
    tell(tracker, "a", A, 0.0)
    now, waits = 10.0, []
    for size in range(100, 112):
        assert not tracker.see("a", Identity(size, size), now)
        due = tracker._settling["a"].due
        waits.append(due - now)
        now = due
        assert tracker.due(now) == ["a"]
    assert waits == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600, 600]
    assert tracker.is_restless("a", now - 1)
    assert not tracker.is_restless("a", now)


def test_a_long_quiet_forgives_the_changes(tracker):
    tell(tracker, "a", A, 0.0)
    for size, now in ((100, 10.0), (101, 15.0), (102, 25.0)):
        tracker.see("a", Identity(size, size), now)
    assert tracker.see("a", Identity(102, 102), 45.0)
    tracker.see("a", B, 25.0 + SLOWEST)
    assert tracker._settling["a"].due == 25.0 + SLOWEST + 5.0


def test_a_file_that_grows_before_it_was_ever_told_is_looked_at_steadily(tracker):
    for size in range(20):
        tracker.see("a", Identity(size, size), size * 5.0)
        assert tracker._settling["a"].due == size * 5.0 + 5.0


def test_with_settle_zero_a_restless_file_is_told_less_and_less_often():
    tracker = Tracker(0.0, 0.0)
    told = [second for second in range(1000) if tracker.see("a", Identity(second, second), second)]
    assert told == [0, 1]
    assert tracker.see("a", Identity(999, 999), 999 + SLOWEST)


def test_a_known_file_is_gone_at_the_second_look_that_does_not_find_it(tracker):
    tell(tracker, "a", A, 0.0)
    assert not tracker.miss("a", 10.0)
    assert not tracker.miss("a", 14.9)
    assert tracker.due(15.0) == ["a"]
    assert tracker.miss("a", 15.0)
    assert not tracker.miss("a", 30.0), "told once"


def test_two_looks_at_one_instant_are_one_look():
    tracker = Tracker(0.0, 0.0)
    tracker.see("a", A, 0.0)
    assert not tracker.miss("a", 1.0)
    assert not tracker.miss("a", 1.0)
    assert tracker.miss("a", 2.0)


def test_a_file_that_is_seen_between_the_looks_was_never_gone(tracker):
    tell(tracker, "a", A, 0.0)
    tracker.miss("a", 10.0)
    assert not tracker.see("a", A, 12.0)
    assert not tracker.miss("a", 16.0)
    assert tracker.settling == 1


def test_what_is_gone_and_comes_back_settles_and_is_told_again(tracker):
    tell(tracker, "a", A, 0.0)
    tracker.miss("a", 10.0)
    tracker.miss("a", 15.0)
    tell(tracker, "a", A, 20.0)


def test_a_file_that_was_never_told_is_not_gone_but_forgotten(tracker):
    tracker.see("a", A, 0.0)
    assert not tracker.miss("a", 1.0)
    assert not tracker.miss("a", 10.0)
    assert tracker.settling == 0


def test_an_expected_file_that_is_not_there_is_gone_and_one_that_is_there_is_told(tracker):
    tracker.expect(["a", "b"])
    assert set(tracker.known()) == {"a", "b"}
    tell(tracker, "a", A, 0.0)
    assert not tracker.miss("b", 0.0)
    assert tracker.miss("b", 5.0)
    assert list(tracker.known()) == ["a"]


def test_a_file_that_is_gone_while_it_settles_anew_is_told_as_gone(tracker):
    tell(tracker, "a", A, 0.0)
    tracker.see("a", B, 10.0)
    assert not tracker.miss("a", 11.0)
    assert tracker.miss("a", 16.0)
    assert tracker.settling == 0


def test_a_forgotten_file_is_not_gone_and_is_new_when_it_comes(tracker):
    tell(tracker, "a", A, 0.0)
    tracker.miss("a", 10.0)
    tracker.forget("a")
    assert not tracker.miss("a", 15.0)
    tell(tracker, "a", A, 20.0)


def test_a_first_look_that_found_nothing_does_not_count_once_it_is_doubted(tracker):
    tell(tracker, "a", A, 0.0)
    tracker.miss("a", 10.0)
    tracker.doubt_absence()
    assert not tracker.miss("a", 20.0)
    assert tracker.miss("a", 25.0)


def test_what_cannot_be_looked_at_is_looked_at_again(tracker):
    tracker.see("a", A, 0.0)
    tracker.doubt("a", 5.0)
    assert tracker.due(9.9) == []
    assert tracker.due(10.0) == ["a"]


LOOKS = st.lists(
    st.tuples(st.floats(0.0, 20.0), st.sampled_from([A, B, Identity(20, 1_000)]), st.booleans()),
    min_size=1,
    max_size=30,
)


@given(LOOKS, st.sampled_from([0.0, 0.5, 5.0]), st.sampled_from([0.0, 0.5, 9.0]))
def test_nothing_is_told_before_it_was_quiet_for_the_shortest_time_over_two_looks(looks, settle, closed):
    tracker, now, since, before, told = Tracker(settle, closed), 0.0, 0.0, None, None
    quiet = min(settle, closed)
    for pause, identity, final in looks:
        now += pause
        if identity != before:
            since, before = now, identity
        if tracker.see("a", identity, now, final=final):
            assert now >= since + quiet
            assert told != identity
            told = identity
        elif identity != told:
            assert tracker.settling == 1
            told = None


@given(LOOKS)
def test_who_looks_when_it_is_due_finds_every_file_settled_in_the_end(looks):
    tracker, now, told = Tracker(5.0, 0.5), 0.0, None
    for pause, identity, final in looks:
        now += pause
        if tracker.see("a", identity, now, final=final):
            told = identity
    for _ in range(40):
        if tracker.settling == 0:
            break
        now = max(now, tracker.next_due())
        for rel in tracker.due(now):
            if tracker.see(rel, looks[-1][1], now):
                told = looks[-1][1]
    assert tracker.settling == 0
    assert told == looks[-1][1]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("slmfdw"), st.floats(0.0, 700.0)), max_size=60))
def test_whatever_comes_something_is_due_exactly_while_something_is_settling(steps):
    tracker, now = Tracker(5.0, 0.5), 0.0
    for rel, step, pause in steps:
        now += pause
        match step:
            case "s":
                tracker.see(rel, A, now)
            case "l":
                tracker.see(rel, Identity(int(now * 1000), 1), now)
            case "m":
                tracker.miss(rel, now)
            case "f":
                tracker.forget(rel)
            case "d":
                tracker.doubt(rel, now)
            case "w":
                tracker.written(rel, now)
        assert (tracker.next_due() <= now + SLOWEST) == (tracker.settling > 0)
        tracker.due(now)
        assert (now <= tracker.next_due() <= now + SLOWEST) == (tracker.settling > 0)
