"""Clocks of attempts under any order of events, beside a record of when the machine really ran."""

from __future__ import annotations

from hypothesis import given, strategies as st

from sttd.rules.deadlines import Deadlines
from tests.properties import words

EXPECTED = 1.0  # seconds between two ticks
pauses = st.one_of(st.integers(1, 8).map(lambda eighths: eighths / 8), st.sampled_from([4.0, 5.0, 5.125, 60.0, 3600.0]))
limits = st.integers(1, 40).map(float)
steps = st.lists(
    st.tuples(st.sampled_from(["wait", "charge", "alive", "remove", "tick", "sweep"]), st.sampled_from("ab"), pauses),
    max_size=80,
)


@given(steps, limits)
def test_nobody_is_killed_before_its_time_and_a_standstill_is_nobodys_time(steps, limit):
    """Overdue is only who had more than its limit, of the clock and also of the time in which the machine ran."""
    deadlines, now = Deadlines(), 0.0
    since: dict[str, float] = {}  # when each clock was last started
    charged: set[str] = set()
    ran: list[tuple[float, float]] = []  # (from, to) between two ticks, cut to the expected where we stood still
    ticked = None
    for step, key, pause in steps:
        now += pause
        match step:
            case "wait":
                deadlines.waiting(key, now, limit)
                since[key] = now
                charged.discard(key)
            case "charge":
                deadlines.charge(key, now, limit)
                if key not in charged:  # whoever says it again gets no more time
                    since[key] = now
                charged.add(key)
            case "alive":
                deadlines.alive(key, now)
                if key in since and key not in charged:
                    since[key] = now
            case "remove":
                deadlines.remove(key)
                since.pop(key, None)
            case _:
                stood = ticked is not None and now - ticked > 5 * EXPECTED
                ran.append((now - EXPECTED, now) if stood else (ticked if ticked is not None else 0.0, now))
                ticked = now
                if step == "tick":
                    deadlines.tick(now, EXPECTED)
                    continue
                overdue = deadlines.overdue(now)
                assert {each for each, _ in overdue} <= since.keys()
                for each, broken in overdue:
                    assert broken == limit
                    awake = sum(max(0.0, end - max(begin, since[each])) for begin, end in ran)
                    assert awake > limit, "killed for the time in which everything stood still"


@words.percent(60)
@given(limits, st.lists(st.sampled_from([0.25, 1.0, 2.0, 5.0]), min_size=300, max_size=300), st.integers(0, 20))
def test_whoever_runs_on_is_found_out_at_the_first_tick_after_its_limit(limit, ticks, start):
    """While the loop runs, progress or not, an attempt is overdue exactly when its limit is over."""
    deadlines, now, begin = Deadlines(), 0.0, 0.0
    for number, pause in enumerate(ticks):
        now += pause
        deadlines.tick(now, EXPECTED)
        if number == start:
            deadlines.charge("a", now, limit)
            begin = now
        elif number > start:
            deadlines.alive("a", now)
            assert bool(deadlines.overdue(now)) == (now - begin > limit)
