"""When a file has settled and when it is gone: a table of looks, and properties of all tables."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from sttd.inbox.news import News
from sttd.inbox.settle import EMPTY, SLOWEST, Tracker
from sttd.job import Identity

A, B = Identity(10, 1_000), Identity(20, 2_000)


@pytest.fixture
def tracker():
    return Tracker(settle=5.0, settle_closed=0.5, patience=900.0)


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
    assert Tracker(0.0, 0.5, 900.0).see("a", A, 0.0)


def test_a_closed_file_needs_only_the_short_time(tracker):
    assert not tracker.see("a", A, 0.0, News.FINAL)
    assert tracker.due(0.5) == ["a"]
    assert tracker.see("a", A, 0.5)


def test_a_file_that_was_quiet_long_enough_is_taken_when_it_is_closed(tracker):
    tracker.see("a", A, 0.0)
    assert tracker.see("a", A, 1.0, News.FINAL)


def test_a_short_settle_is_not_made_longer_by_settle_closed():
    tracker = Tracker(settle=0.1, settle_closed=0.5, patience=900.0)
    tracker.see("a", A, 0.0, News.FINAL)
    assert tracker.see("a", A, 0.1)


def test_a_closed_file_that_changes_without_a_word_of_it_needs_the_long_time_again(tracker):
    tracker.see("a", A, 0.0, News.FINAL)
    assert not tracker.see("a", B, 1.0)
    assert not tracker.see("a", B, 5.9)
    assert tracker.see("a", B, 6.0)


def test_a_file_whose_writer_is_at_work_has_not_settled_however_long_it_pauses(tracker):
    """A recorder pauses for a quarter of an hour, writes on, and closes."""
    tracker.see("a", A, 0.0, News.WRITTEN)
    assert not tracker.see("a", A, 890.0)
    assert not tracker.hear("a", News.WRITTEN, 895.0), "events alone are no reason for looks"
    assert not tracker.see("a", B, 950.0), "it was written to since"
    assert tracker.hear("a", News.FINAL, 960.0)
    assert tracker.see("a", B, 960.0, News.FINAL), "quiet since the look before, and closed"


def test_a_closed_file_that_is_written_on_waits_for_the_next_close(tracker):
    tracker.see("a", A, 0.0, News.FINAL)
    assert not tracker.hear("a", News.WRITTEN, 0.2)
    assert not tracker.see("a", A, 0.5)
    assert not tracker.see("a", B, 100.0)
    assert tracker.due(899.0) == []
    assert tracker.see("a", B, 899.0, News.FINAL)


def test_a_close_that_is_never_heard_is_waited_for_up_to_the_patience(tracker):
    """After the latest event, not after the latest look: looks are made when something is due."""
    tracker.see("a", A, 0.0, News.WRITTEN)
    tracker.hear("a", News.WRITTEN, 100.0)
    assert not tracker.see("a", B, 990.0)
    assert tracker._settling["a"].due == 1000.0
    assert tracker.see("a", B, 1000.0)


def test_the_patience_does_not_make_settle_shorter():
    tracker = Tracker(settle=60.0, settle_closed=0.5, patience=1.0)
    tracker.see("a", A, 0.0, News.WRITTEN)
    assert not tracker.see("a", A, 59.0)
    assert tracker.see("a", A, 60.0)


def test_another_quiet_counts_for_files_under_observation_and_for_missing_ones():
    tracker = Tracker(settle=600.0, settle_closed=60.0, patience=900.0)
    tracker.expect(["gone"])
    assert not tracker.miss("gone", 0.0)
    tracker.see("quiet", A, 0.0)
    tracker.see("closed", A, 0.0, News.FINAL)
    tracker.see("written", A, 0.0, News.WRITTEN)
    tracker.configure(5.0, 1.0, 20.0)
    assert tracker.due(1.0) == ["closed"]
    assert tracker.see("closed", A, 1.0)
    assert tracker.due(5.0) == ["quiet", "gone"]
    assert tracker.see("quiet", A, 5.0)
    assert tracker.miss("gone", 5.0)
    tracker.configure(5.0, 1.0, 30.0)
    assert tracker.due(20.0) == []
    assert not tracker.see("written", A, 20.0)
    assert tracker.due(30.0) == ["written"]
    assert tracker.see("written", A, 30.0)


def test_settle_zero_waits_for_a_writer_that_is_known_to_be_at_work():
    tracker = Tracker(0.0, 0.5, 900.0)
    assert not tracker.see("a", A, 0.0, News.WRITTEN)
    assert tracker.see("a", A, 1.0, News.FINAL)


def test_a_file_that_is_created_and_empty_is_being_written(tracker):
    """As ffmpeg makes it, which writes its first block after half a minute."""
    tracker.see("a", Identity(0, 1), 0.0, News.NEW)
    assert not tracker.see("a", Identity(0, 1), 500.0)
    assert not tracker.see("a", A, 500.5), "no word of the writing needed: its writer is known to be at work"
    assert not tracker.see("a", A, 510.0)
    assert not tracker.see("a", B, 600.0, News.FINAL)
    assert tracker.see("a", B, 600.5)


def test_a_file_that_appears_with_its_content_may_be_a_hard_link_and_has_no_writer(tracker):
    tracker.see("a", A, 0.0, News.NEW)
    assert tracker.see("a", A, 5.0)


def test_an_empty_file_is_waited_for_though_it_is_closed(tracker):
    tracker.see("a", Identity(0, 1), 0.0, News.FINAL)
    assert not tracker.see("a", Identity(0, 1), EMPTY - 1)
    assert tracker.see("a", Identity(0, 1), EMPTY)


def test_an_empty_file_that_lay_there_at_the_start_is_taken_like_any_other(tracker):
    tracker.see("a", Identity(0, 1), 0.0, at_start=True)
    assert tracker.see("a", Identity(0, 1), 5.0)


def test_where_events_were_lost_a_close_may_be_among_them(tracker):
    tracker.see("a", A, 0.0, News.WRITTEN)
    tracker.lose_writers()
    assert tracker.next_due() == 5.0
    assert tracker.see("a", A, 5.0)


def test_a_player_that_opens_a_told_file_for_writing_and_closes_it_changes_nothing(tracker):
    tell(tracker, "a", A, 0.0)
    assert tracker.hear("a", News.FINAL, 10.0)
    assert not tracker.see("a", A, 10.0, News.FINAL)
    assert tracker.settling == 0


def test_the_close_of_a_restless_file_is_remembered_though_it_is_no_reason_to_look(tracker):
    """A recorder that appends and closes again and again: no file waits for the patience whose writer has closed it."""
    tell(tracker, "a", A, 0.0)
    for size, now in ((100, 10.0), (101, 11.0), (102, 12.0)):
        tracker.see("a", Identity(size, size), now, News.WRITTEN)
    assert not tracker.hear("a", News.FINAL, 12.5)
    assert tracker.next_due() < 12.0 + SLOWEST
    assert tracker.see("a", Identity(102, 102), 20.0)


def test_word_that_an_unknown_file_is_written_is_worth_a_look(tracker):
    assert tracker.hear("a", News.WRITTEN, 0.0)


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
    assert not any(tracker.see("a", A, now, News.FINAL) for now in (6.0, 60.0, 6000.0))


def test_a_file_replaced_under_its_name_settles_and_is_told_again(tracker):
    tell(tracker, "a", A, 0.0)
    assert not tracker.see("a", B, 10.0, News.FINAL)
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
    assert not tracker.hear("a", News.NEW, now - 1)
    assert tracker.hear("a", News.NEW, now)


def test_a_long_quiet_forgives_the_changes(tracker):
    tell(tracker, "a", A, 0.0)
    for size, now in ((100, 10.0), (101, 15.0), (102, 25.0)):
        tracker.see("a", Identity(size, size), now)
    assert tracker.see("a", Identity(102, 102), 45.0)
    tracker.see("a", B, 25.0 + SLOWEST)
    assert tracker._settling["a"].due == 25.0 + SLOWEST + 5.0


def test_a_file_that_grows_before_it_was_ever_told_is_looked_at_steadily(tracker):
    for size in range(1, 20):
        tracker.see("a", Identity(size, size), size * 5.0)
        assert tracker._settling["a"].due == size * 5.0 + 5.0


def test_with_settle_zero_a_restless_file_is_told_less_and_less_often():
    tracker = Tracker(0.0, 0.0, 900.0)
    told = [second for second in range(1000) if tracker.see("a", Identity(second + 1, second), second)]
    assert told == [0, 1]
    assert tracker.see("a", Identity(1000, 999), 999 + SLOWEST)


def test_a_known_file_is_gone_at_the_second_look_that_does_not_find_it(tracker):
    tell(tracker, "a", A, 0.0)
    assert not tracker.miss("a", 10.0)
    assert not tracker.miss("a", 14.9)
    assert tracker.due(15.0) == ["a"]
    assert tracker.miss("a", 15.0)
    assert not tracker.miss("a", 30.0), "told once"


def test_two_looks_at_one_instant_are_one_look():
    tracker = Tracker(0.0, 0.0, 900.0)
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
    tracker, now, since, before, told = Tracker(settle, closed, 900.0), 0.0, 0.0, None, None
    quiet = min(settle, closed)
    for pause, identity, final in looks:
        now += pause
        if identity != before:
            since, before = now, identity
        if tracker.see("a", identity, now, News.FINAL if final else None):
            assert now >= since + quiet
            assert told != identity
            told = identity
        elif identity != told:
            assert tracker.settling == 1
            told = None


@given(LOOKS)
def test_who_looks_when_it_is_due_finds_every_file_settled_in_the_end(looks):
    tracker, now, told = Tracker(5.0, 0.5, 900.0), 0.0, None
    for pause, identity, final in looks:
        now += pause
        if tracker.see("a", identity, now, News.FINAL if final else None):
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
    tracker, now = Tracker(5.0, 0.5, 900.0), 0.0
    for rel, step, pause in steps:
        now += pause
        match step:
            case "s":
                tracker.see(rel, A, now)
            case "l":
                tracker.see(rel, Identity(1 + int(now * 1000), 1), now)
            case "m":
                tracker.miss(rel, now)
            case "f":
                tracker.forget(rel)
            case "d":
                tracker.doubt(rel, now)
            case "w":
                tracker.hear(rel, News.WRITTEN, now)
        assert (tracker.next_due() <= now + 900.0) == (tracker.settling > 0)
        tracker.due(now)
        assert (now <= tracker.next_due() <= now + 900.0) == (tracker.settling > 0)
