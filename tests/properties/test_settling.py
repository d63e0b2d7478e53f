"""When a file is told and when it is gone: whatever its writers do and whenever it is looked at, beside a plain history."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, strategies as st

from sttd.inbox.news import News
from sttd.inbox.settle import SHORTEST, SLOWEST, Tracker
from sttd.job import Identity

# binary fractions of a second, so that sums are exact
pauses = st.integers(0, 80).map(lambda eighths: eighths / 8)
waits = st.sampled_from([0.0, 0.5, 2.0, 5.0])
versions = st.integers(0, 2)
PATIENCE = 32.0
steps = st.lists(
    st.one_of(
        st.tuples(st.just("see"), pauses, versions, st.sampled_from([None, *News])),
        st.tuples(
            st.sampled_from(["miss", "doubt", "written", "lost", "forget", "away"]), pauses, st.none(), st.none()
        ),
    ),
    max_size=60,
)


def identity_of(version: int) -> Identity:
    return Identity(1000 + version // 2, version)  # versions 0 and 1 differ in their time alone


@dataclass
class History:
    """What was seen of one file since it was last seen to change, and what was told of it."""

    version: int | None = None
    since: float = 0.0
    news: News | None = None  # the last word of its writer
    heard: float = 0.0  # when it was that it is at work
    told: int | None = None
    missed: float | None = None  # the first of the looks in succession that did not find it
    log: list[str] = field(default_factory=list)


@given(steps, waits, waits)
def test_what_is_told_has_been_quiet_and_what_is_gone_was_missed_twice(steps, settle, closed):
    """No version is told before its quiet, or twice without a change between; nothing is gone at one look."""
    tracker, now, seen = Tracker(settle, closed, PATIENCE), 0.0, History()
    for step, pause, version, news in steps:
        now += pause
        match step:
            case "see":
                if version != seen.version:
                    # one that was known to be closed and changes all the same has a writer that nothing is known of
                    seen.news = seen.news if seen.news is News.WRITTEN else None
                    seen.version, seen.since = version, now
                if news is not None:
                    seen.news, seen.heard = news, now
                seen.missed = None
                if version != seen.told:
                    seen.told = None
                if tracker.see("a", identity_of(version), now, news):
                    assert seen.told is None, "told twice"
                    assert now - seen.since >= (min(settle, closed) if seen.news is News.FINAL else settle)
                    assert seen.news is not News.WRITTEN or now - seen.heard >= PATIENCE, "its writer is at work"
                    seen.told = version
            case "miss":
                known = tracker.is_known("a")
                seen.missed = now if seen.missed is None else seen.missed
                if tracker.miss("a", now):
                    assert known
                    assert now - seen.missed >= max(settle, SHORTEST), "gone at one look, or too soon"
                    seen = History()
                elif not known:
                    seen = History()
            case "written":
                if not tracker.hear("a", News.WRITTEN, now):
                    seen.news, seen.heard = News.WRITTEN, now
            case "lost":
                tracker.lose_writers()
                seen.news = None if seen.news is News.WRITTEN else seen.news
            case "forget":
                tracker.forget("a")
                seen = History()
            case "doubt":
                tracker.doubt("a", now)
                seen.missed = None
            case "away":
                tracker.doubt_absence()
                seen.missed = None


@given(steps, waits, waits)
def test_a_file_that_stays_is_told_in_the_end_and_one_that_left_is_gone_in_the_end(steps, settle, closed):
    """Whatever came before: who looks whenever something is due needs few looks, and never waits over the longest quiet."""
    tracker, now, last, told = Tracker(settle, closed, PATIENCE), 0.0, None, None
    for step, pause, version, news in steps:
        now += pause
        match step:
            case "see":
                last = version
                if tracker.see("a", identity_of(version), now, news):
                    told = version
            case "miss":
                last = None
                tracker.miss("a", now)
            case "forget":
                tracker.forget("a")
                told = last = None
            case "written":
                tracker.hear("a", News.WRITTEN, now)
            case "lost":
                tracker.lose_writers()
            case "doubt":
                tracker.doubt("a", now)
            case "away":
                tracker.doubt_absence()
    began, looks = now, 0
    while tracker.settling:
        due = tracker.due(now)
        assert now <= tracker.next_due() <= now + SLOWEST
        now = now if due else tracker.next_due()
        for rel in due:
            looks += 1
            if last is None:
                tracker.miss(rel, now)
            elif tracker.see(rel, identity_of(last), now):
                told = last
        # one that was settling and is missed is looked at once a second until it is surely gone
        assert looks <= 4 + settle, "it is looked at for ever"
        assert now - began <= SLOWEST + 5
    if last is not None:
        assert told == last


@given(st.lists(pauses.map(lambda pause: pause + 0.125), min_size=3, max_size=40))
def test_one_that_keeps_changing_after_it_was_told_is_told_less_and_less_often(pauses):
    """Looked at only when due, a file that changes before every look after its first telling is never told again."""
    tracker, now, told = Tracker(0.5, 0.5, PATIENCE), 0.0, 0
    tracker.see("a", Identity(1, 0), now)
    told += tracker.see("a", Identity(1, 0), now + 0.5)
    for number, pause in enumerate(pauses, 1):
        while tracker.settling and not tracker.due(now):
            now = tracker.next_due()
        now += pause
        told += tracker.see("a", Identity(1, number), now)
    assert told == 1
    assert tracker.due(now + min(2 ** (len(pauses) - 1), SLOWEST) - 0.125) == []
