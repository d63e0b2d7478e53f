"""What parts mean for their job, for any parts: nothing runs that may not, and nothing waits that could go on."""

from __future__ import annotations

import itertools

from hypothesis import given, strategies as st

from sttd.job import Part, State
from sttd.part import Cause
from sttd.rules.parts import SHARED, next_of, startable, state_of, wait_of
from sttd.sharing import Share, parts_of, span_of

NOW = 1000.0


@st.composite
def recordings(draw, states=(State.QUEUED, State.RUNNING, State.DONE, State.FAILED)):
    """The parts of one."""
    return [
        Part(
            job=1,
            number=number,
            state=draw(st.sampled_from(states)),
            attempt=draw(st.integers(0, 9)),
            attempts=draw(st.integers(0, 3)),
            chunks=draw(st.integers(0, 5)),
            progress=draw(st.floats(0, 600)),
            not_before=draw(st.sampled_from([0.0, NOW - 1, NOW, NOW + 1, NOW + 100])),
            cause=draw(st.none() | st.sampled_from(Cause)),
            error=draw(st.none() | st.just("it went wrong")),
        )
        for number in range(draw(st.integers(2, 8)))
    ]


@given(recordings(), st.booleans(), st.booleans())
def test_a_worker_gets_a_part_that_waits_and_may_begin(parts, decided, turn):
    """Before the language is decided none behind the first that is open; none beside one that failed, or before its time."""
    part = next_of(startable(parts, decided=decided), NOW, turn=turn)
    if part is None:
        return
    assert part.state is State.QUEUED
    assert decided or all(other.state is State.DONE for other in parts[: part.number])
    assert not any(other.state is State.FAILED for other in startable(parts, decided=decided))
    assert part.not_before <= NOW or (turn and part.cause in SHARED)


@given(recordings(states=(State.QUEUED, State.DONE)), st.booleans())
def test_a_job_whose_turn_has_come_has_a_part_for_it_unless_all_of_them_wait(parts, decided):
    may = startable(parts, decided=decided)
    waiting = [part for part in may if part.state is State.QUEUED]
    is_due = any(part.not_before <= NOW or part.cause in SHARED for part in waiting)
    assert (next_of(may, NOW, turn=True) is not None) == is_due
    assert state_of(parts, cancelled=False) is (State.QUEUED if waiting else State.COMMITTING)


@given(recordings(), st.booleans())
def test_what_concerns_all_parts_keeps_further_ones_from_starting(parts, decided):
    """And it is what the row of the job says."""
    held = [part for part in parts if part.state is State.QUEUED and part.cause in SHARED]
    if not held:
        return
    assert next_of(parts, NOW, turn=False) is None
    assert wait_of(parts) == {"not_before": held[0].not_before, "cause": held[0].cause, "error": held[0].error}


@given(recordings(), st.booleans())
def test_a_job_ends_only_when_no_worker_has_a_part_of_it(parts, cancelled):
    state = state_of(parts, cancelled=cancelled)
    states = {part.state for part in parts}
    if State.RUNNING in states:
        assert state is State.RUNNING
    elif cancelled:
        assert state is State.CANCELLED
    elif State.FAILED in states:
        assert state is State.FAILED
    else:
        assert state is (State.COMMITTING if states == {State.DONE} else State.QUEUED)


@given(recordings())
def test_a_job_waits_no_longer_than_one_of_its_parts(parts):
    assert wait_of(parts)["not_before"] in {0.0, *(part.not_before for part in parts)}


@given(st.floats(1, 200_000), st.floats(10, 3600))
def test_the_parts_of_a_recording_follow_each_other_to_its_end(seconds, length):
    """As a person is told before the borders are found."""
    parts = parts_of(seconds, Share(length, length))
    spans = [span_of(number, parts, length, seconds) for number in range(parts)]
    assert spans[0][0] == 0
    assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
    assert spans[-1][1] == max(seconds, spans[-1][0])
