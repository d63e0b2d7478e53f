"""What follows from each cause."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from sttd.job import Job, State, can_step
from sttd.part import Cause
from sttd.rules.lines import Lines
from sttd.rules.policy import AT_FAULT, RULES, Verdict, verdict

NOW = 1_700_000_000.0


def decide(cause, job=None, **changes) -> Verdict:
    values = {
        "progressed": False, "now": NOW, "random": lambda: 0.0, "waits": (30.0, 120.0, 600.0), "attempts_allowed": 3,
        "machine_wait": 45.0, "batch": 1,
    } | changes  # fmt: skip
    return verdict(job or job_with(), cause, **values)


def job_with(**changes) -> Job:
    return Job(1, "a.flac", 1, 1, **({"state": State.RUNNING} | changes))


def test_every_cause_has_a_rule():
    assert set(RULES) == set(Cause)


@pytest.mark.parametrize("cause", [Cause.SLICE, Cause.ASKED, Cause.MEMORY, Cause.SHUTDOWN, Cause.CHANGED])
def test_what_is_nobodys_fault_is_queued_again_at_once(cause):
    assert decide(cause, job_with(attempts=2)) == Verdict(State.QUEUED, False, NOW, None, None, False)


def test_a_timeout_with_progress_costs_nothing():
    assert decide(Cause.TIMEOUT, job_with(attempts=2, batch_size=4), progressed=True, batch=4) == Verdict(
        State.QUEUED, False, NOW, 4, None, False
    )


def test_a_timeout_without_progress_halves_the_batch_down_to_one_and_then_spends_attempts():
    sizes, job = [], job_with()
    for _ in range(4):
        found = decide(Cause.TIMEOUT, job, batch=job.batch_size or 8)
        job = job_with(batch_size=found.batch_size, attempts=job.attempts + found.spend_attempt)
        sizes.append((found.batch_size, found.spend_attempt, found.not_before - NOW))
    assert sizes == [(4, False, 0), (2, False, 0), (1, False, 0), (1, True, 30)]


def test_the_first_line_that_breaks_is_nobodys_fault_and_the_next_ones_cost_what_a_worker_that_is_killed_here_does():
    """Halved batches first: what took the other machine's memory may have room in it then."""
    assert decide(Cause.LINE, job_with(attempts=2), batch=8) == Verdict(State.QUEUED, False, NOW, None, None, False)
    assert decide(Cause.LINE, repeated=True, progressed=True, batch=8).batch_size is None
    sizes, job = [], job_with()
    for _ in range(3):
        found = decide(Cause.LINE, job, batch=job.batch_size or 2, repeated=True)
        job = job_with(batch_size=found.batch_size, attempts=job.attempts + found.spend_attempt)
        sizes.append((found.batch_size, found.spend_attempt, found.not_before - NOW))
    assert sizes == [(1, False, 0), (1, True, 30), (1, True, 120)]


def test_lines_that_break_are_counted_from_the_last_chunk_on():
    lines = Lines()
    ends = [
        ("1.0", Cause.LINE),
        ("1.0", Cause.MACHINE),
        ("2.0", Cause.LINE),
        ("1.0", Cause.LINE),
        ("1.0", Cause.SHUTDOWN),
    ]
    assert [lines.ended(part, cause, progressed=False) for part, cause in ends] == [False, False, False, True, False]
    assert lines.ended("1.0", Cause.LINE, progressed=True) is False
    assert lines.ended("1.0", Cause.LINE, progressed=False) is True
    assert lines.ended("1.0", Cause.SLICE, progressed=True) is False
    assert lines.ended("1.0", Cause.LINE, progressed=False) is False


def test_of_lines_that_break_the_oldest_are_forgotten_where_they_are_many():
    lines = Lines()
    for number in range(1002):
        lines.ended(f"{number}.0", Cause.LINE, progressed=False)
    assert len(lines._broken) == 1000
    assert lines.ended("1001.0", Cause.LINE, progressed=False) is True
    assert lines.ended("0.0", Cause.LINE, progressed=False) is False


def test_out_of_memory_halves_even_after_progress_and_then_spends():
    assert decide(Cause.OOM, batch=8, progressed=True).batch_size == 4
    assert decide(Cause.OOM, batch=1, progressed=True).spend_attempt


def test_the_gpus_memory_ends_on_the_cpu_with_the_configured_batch():
    assert decide(Cause.GPU_MEMORY, batch=2) == Verdict(State.QUEUED, False, NOW, 1, None, False)
    assert decide(Cause.GPU_MEMORY, job_with(batch_size=1)) == Verdict(State.QUEUED, False, NOW, None, "cpu", False)
    assert decide(Cause.GPU_MEMORY, job_with(device="cpu")).spend_attempt


@pytest.mark.parametrize("cause", [Cause.CRASH, Cause.ERROR])
def test_a_fault_spends_attempts_with_growing_waits_and_then_fails(cause):
    """Also after progress: nothing gives spent attempts back but a person."""
    waits = [decide(cause, job_with(attempts=spent), progressed=True, attempts_allowed=6) for spent in range(5)]
    assert [each.not_before - NOW for each in waits] == [30, 120, 600, 600, 600]
    assert decide(cause, job_with(attempts=2)) == Verdict(State.FAILED, True, NOW, None, None, False)


def test_what_would_come_again_is_not_tried_again():
    assert decide(Cause.ERROR, retriable=False).state is State.FAILED
    assert decide(Cause.NO_MODEL, retriable=False).state is State.QUEUED


def test_waits_have_a_jitter_that_only_lengthens_them():
    assert decide(Cause.CRASH, random=lambda: 0.999).not_before == pytest.approx(NOW + 37.5, abs=0.1)
    assert decide(Cause.CRASH, waits=()).not_before == NOW


@pytest.mark.parametrize("cause", sorted(AT_FAULT))
def test_the_machines_fault_waits_and_spends_nothing_ever(cause):
    assert decide(cause, job_with(attempts=2)) == Verdict(State.QUEUED, False, NOW + 45, None, None, True)


def test_a_file_that_cannot_be_transcribed_fails_at_once():
    assert decide(Cause.BAD_FILE, attempts_allowed=9) == Verdict(State.FAILED, True, NOW, None, None, False)


def test_one_that_is_gone_waits_for_the_inbox_to_say_so():
    assert decide(Cause.GONE) == Verdict(State.QUEUED, False, NOW + 45, None, None, False)


def test_cancelled_is_cancelled():
    assert decide(Cause.CANCELLED).state is State.CANCELLED


@given(
    cause=st.sampled_from([cause for cause in Cause if cause not in (*AT_FAULT,
        Cause.GONE, Cause.CHANGED, Cause.SLICE, Cause.ASKED, Cause.MEMORY, Cause.SHUTDOWN)]),
    batch=st.integers(1, 128), allowed=st.integers(1, 5), chance=st.floats(0, 0.999),
)  # fmt: skip
def test_a_job_without_progress_always_ends(cause, batch, allowed, chance):
    """Whatever goes wrong again and again, the number of attempts is bounded, and each step exists."""
    job = job_with()
    for _ in range(1 + 8 + allowed + 8):
        found = decide(
            cause,
            job,
            batch=job.batch_size or batch,
            attempts_allowed=allowed,
            random=lambda: chance,
            repeated=bool(job.resumes),
        )
        assert can_step(State.RUNNING, found.state)
        assert found.batch_size is None or 1 <= found.batch_size <= batch
        if found.state is not State.QUEUED:
            return
        job = job_with(
            batch_size=found.batch_size, device=found.device, attempts=job.attempts + found.spend_attempt, resumes=1
        )
    raise AssertionError("it never ends")
