"""A job always ends: whatever goes wrong in whatever order, and whatever the machine does in between."""

from __future__ import annotations

import itertools
import math

from hypothesis import given, strategies as st

from sttd.job import ENDED, Job, State, can_step
from sttd.part import Cause
from sttd.rules.lines import Lines
from sttd.rules.policy import AT_FAULT, JITTER, RULES, verdict

# nobody's fault, or not the job's: they may come without end, and spend nothing
FREE = [Cause.SLICE, Cause.ASKED, Cause.MEMORY, Cause.SHUTDOWN, Cause.CHANGED]
MACHINE = [*sorted(AT_FAULT), Cause.GONE]
ENDS = {Cause.CANCELLED: State.CANCELLED, Cause.EXISTING: State.COMMITTING}
FAULTS = [cause for cause in Cause if cause not in (*FREE, *MACHINE)]
waits = st.lists(st.floats(0, 1e5), max_size=4)


@given(
    causes=st.lists(st.tuples(st.sampled_from(FAULTS), st.sampled_from([*FREE, *MACHINE]) | st.none()), min_size=1,
                    max_size=12),
    batch=st.integers(1, 128), allowed=st.integers(1, 30), waits=waits, chance=st.floats(0, 0.999),
)  # fmt: skip
def test_any_sequence_of_faults_ends_within_a_bound_whatever_comes_between(causes, batch, allowed, waits, chance):
    """A line that breaks, halving to one, once more on the CPU, then the attempts: no order of causes, with any others between, lasts longer."""
    job, faults = Job(1, "a.mp3", 1, 1, State.RUNNING), 0
    lines = Lines()
    for fault, between in itertools.cycle(causes):
        for cause in (between, fault):
            if cause is None:
                continue
            now = 1e9 + faults
            found = verdict(
                job, cause, progressed=cause in FREE, now=now, random=lambda: chance, waits=waits,
                attempts_allowed=allowed, machine_wait=30.0, batch=job.batch_size or batch,
                repeated=lines.ended("1.0", cause, progressed=False),
            )  # fmt: skip
            assert can_step(State.RUNNING, found.state)
            assert now <= found.not_before <= now + max([30.0, *(wait * (1 + JITTER) for wait in waits)])
            assert found.machine == (cause in MACHINE and cause is not Cause.GONE)
            if cause not in FAULTS:
                assert not found.spend_attempt
                assert found.state is State.QUEUED
            if found.state in (*ENDED, State.COMMITTING):
                assert found.state is (ENDS.get(cause, State.FAILED))
                return
            faults += cause in FAULTS
            job = job.evolve(
                attempts=job.attempts + found.spend_attempt, batch_size=found.batch_size, device=found.device
            )
            assert job.attempts < allowed, "its attempts are spent and it goes on"
        assert faults <= 2 * math.ceil(math.log2(batch) + 1) + 2 + allowed, "it does not end"


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 5))
def test_a_timeout_with_progress_costs_nothing_and_one_without_always_does(progress, allowed):
    """A ten-hour recording on a slow machine ends after some slices; one that stands still does not go on for ever."""
    job, still = Job(1, "a.mp3", 1, 1, State.RUNNING, batch_size=8), 0
    for progressed in progress:
        found = verdict(
            job, Cause.TIMEOUT, progressed=progressed, now=0.0, random=lambda: 0.0, waits=(1.0,),
            attempts_allowed=allowed, machine_wait=1.0, batch=job.batch_size or 8,
        )  # fmt: skip
        still += not progressed
        assert found.spend_attempt == (not progressed and job.batch_size == 1)
        assert (found.state is State.FAILED) == (still == 3 + allowed)
        if found.state is State.FAILED:
            return
        job = job.evolve(attempts=job.attempts + found.spend_attempt, batch_size=found.batch_size)


@given(st.lists(st.sampled_from(State), max_size=30))
def test_nothing_leaves_done_and_what_has_ended_goes_on_only_through_the_queue(states):
    """`evolve` refuses every other step, and changes nothing when it refuses."""
    job = Job(1, "a.mp3", 1, 1)
    for after in states:
        before = job
        try:
            job = job.evolve(state=after)
        except ValueError:
            assert not can_step(before.state, after)
            continue
        assert before.state is not State.DONE or after is State.DONE
        assert before.state not in ENDED or after in (before.state, State.QUEUED)
        assert after is not State.DONE or before.state in (State.COMMITTING, State.DONE), "done without a commit"


def test_each_cause_has_a_rule_and_a_state_that_can_be_reached():
    """No way that an attempt can end is left to chance."""
    assert RULES.keys() == set(Cause)
    assert all(can_step(State.RUNNING, rule.state) for rule in RULES.values())
