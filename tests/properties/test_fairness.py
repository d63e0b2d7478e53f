"""Whose turn it is: whatever happened before, nobody waits long, and nobody is owed or owes more than a slice."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from hypothesis import given, strategies as st

from sttd.rules.fairness import MOST, QUEUES, Queue, Turns

SLICE = 1800.0  # seconds
WEEK = 7 * 86_400.0
CLIP = 30.0


@dataclass
class Workers:
    """Some workers, and the owners' jobs as endless as they are told to be. Time is what the workers spend."""

    turns: Turns = field(default_factory=Turns)
    count: int = 1
    running: deque[tuple[float, object]] = field(default_factory=deque)

    def serve(self, waiting: dict[tuple[int, Queue], float]) -> tuple[int, Queue]:
        """A free worker takes one: `waiting` says how many seconds an attempt takes there."""
        if len(self.running) == self.count:
            seconds, turn = self.running.popleft()
            self.turns.end(turn, seconds)
        owners = {owner for owner, _ in waiting}
        picked = next(each for each in self.turns.order(owners, SLICE) if each in waiting)
        self.running.append((waiting[picked], self.turns.begin(*picked, SLICE)))
        return picked


def until(workers: Workers, waiting: dict[tuple[int, Queue], float], wanted: tuple[int, Queue]) -> float:
    """Worker seconds that the others have until it is the turn of `wanted`."""
    seconds = 0.0
    while (picked := workers.serve(waiting)) != wanted:
        seconds += waiting[picked]
        assert seconds < WEEK, "it starves"
    return seconds


def test_after_a_week_of_clips_a_long_recording_gets_one_slice_and_then_they_take_turns():
    """It gets no week of slices for the week in which it was not there."""
    workers = Workers()
    for _ in range(int(WEEK / CLIP)):
        workers.serve({(0, "fresh"): CLIP})
    both: dict[tuple[int, Queue], float] = {(0, "fresh"): CLIP, (0, "served"): SLICE}
    served = [workers.serve(both)[1] for _ in range(300)]
    assert served[:2].count("served") <= 2
    assert until(workers, both, (0, "fresh")) <= 2 * SLICE
    assert 3 <= served.count("served") <= 7


def test_after_a_week_of_a_long_recording_clips_get_one_slice_and_no_more():
    workers = Workers()
    for _ in range(int(WEEK / SLICE)):
        workers.serve({(0, "served"): SLICE})
    assert until(workers, {(0, "fresh"): CLIP, (0, "served"): SLICE}, (0, "served")) <= 2 * SLICE


def test_clips_and_long_recordings_share_the_time_on_many_workers_too():
    """The free workers do not all go to the same queue, which would hold them all for a slice."""
    workers, spent = Workers(count=8), Counter[Queue]()
    both: dict[tuple[int, Queue], float] = {(0, "fresh"): CLIP, (0, "served"): SLICE}
    first = [workers.serve(both)[1] for _ in range(8)]
    assert set(first) == set(QUEUES)
    for _ in range(6000):
        _, queue = workers.serve(both)
        spent[queue] += both[0, queue]
    assert 0.8 < spent["fresh"] / spent["served"] < 1.25


def test_who_drops_a_hundred_thousand_files_delays_nobody_else():
    """Another owner's file is next, however many wait before it; and what he drops is no reason to serve the first never."""
    workers = Workers()
    for _ in range(1000):
        workers.serve({(1, "fresh"): CLIP})
    waiting: dict[tuple[int, Queue], float] = {(1, "fresh"): CLIP, (2, "fresh"): CLIP}
    assert until(workers, waiting, (2, "fresh")) == 0
    turns = [workers.serve(waiting)[0] for _ in range(400)]
    assert 60 <= turns[-200:].count(1) <= 140


@given(
    st.integers(1, 4),
    st.lists(
        st.tuples(
            st.sets(st.tuples(st.integers(0, 4), st.sampled_from(QUEUES)), min_size=1),
            st.sampled_from([0.0, 1.0, 30.0, SLICE]),
            st.integers(1, 60),
        ),
        max_size=12,
    ),
    st.sets(st.tuples(st.integers(0, 4), st.sampled_from(QUEUES)), min_size=1),
)
def test_whatever_happened_before_everybody_has_a_turn_soon(count, history, now):
    """Nobody waits for longer than two slices of each that waits, and of each worker: what that has is charged as it usually is.

    And two more: one is ahead by a slice at most, another one behind.
    """
    workers = Workers(count=count)
    for waiting, seconds, times in history:
        for _ in range(times):
            workers.serve(dict.fromkeys(waiting, seconds))
    for wanted in now:
        assert until(workers, dict.fromkeys(now, SLICE), wanted) <= 2 * (len(now) + count + 1) * SLICE


def test_what_is_kept_is_bounded():
    """However many users a network has."""
    turns = Turns()
    for owner in range(5 * MOST):
        turns.order({owner}, SLICE)
        turns.end(turns.begin(owner, "fresh", SLICE), CLIP)
    assert len(turns._accounts) <= MOST + 1
