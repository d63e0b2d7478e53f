"""A person's cancel is kept by the job's row: whatever comes between, the job ends as cancelled, unless it is done already."""

from __future__ import annotations

import errno

import pytest

from sttd.daemon import requests
from sttd.errors import LedgerError
from sttd.job import State
from sttd.part import Cause
from tests.properties.stations import CHUNKS


def cancel(bench) -> None:
    bench.ask("cancel", 1)
    requests.take(bench.context)


def attempt(bench):
    (found,) = bench.pool.attempts.values()
    return found


def come_to_rest(bench) -> None:
    for _ in range(5):
        bench.go_on()
    row = bench.context.ledger.get(1)
    assert (row.state, row.cause, row.plan) == (State.CANCELLED, Cause.CANCELLED, None)
    assert (bench.config.paths.inbox / "a.mp3").exists()
    assert not list(bench.config.paths.transcripts.glob("*.txt"))


@pytest.mark.parametrize(
    "cause", [Cause.SLICE, Cause.CHANGED, Cause.TIMEOUT, Cause.CRASH, Cause.UNREADABLE, Cause.SHUTDOWN]
)
def test_a_running_job_whose_attempt_ends_otherwise_before_the_kill_is_cancelled_all_the_same(bench, cause):
    bench.step(attempt(bench))
    running = attempt(bench)
    cancel(bench)
    running.killed = None  # the worker's last word was on its way already
    bench.end(running, cause)
    come_to_rest(bench)


def test_a_job_that_is_being_killed_for_another_reason_is_cancelled_all_the_same(bench):
    bench.context.attempts_of(1)[0].why = "it has changed"
    attempt(bench).killed = Cause.CHANGED
    cancel(bench)
    come_to_rest(bench)


def test_a_job_that_was_being_stopped_when_the_daemon_was_killed_is_not_begun_again(bench):
    cancel(bench)
    bench.crash(halfway=False)
    come_to_rest(bench)


def test_a_job_that_was_whole_already_is_taken_back(bench):
    running = attempt(bench)
    for _ in range(CHUNKS + 1):
        bench.step(running)
    cancel(bench)
    running.killed = None
    bench.step(running)
    come_to_rest(bench)


def test_a_cancel_that_the_ledger_could_not_note_is_tried_again(bench):
    bench.break_ledger(1, at_commit=True)
    with pytest.raises(LedgerError):
        cancel(bench)
    bench.mend()
    come_to_rest(bench)


@pytest.mark.parametrize("step", ["stage", "publish"])
def test_a_job_whose_results_turn_out_to_be_lost_while_it_is_cancelled_is_not_transcribed_again(bench, step):
    running = attempt(bench)
    for _ in range(CHUNKS + 2):
        bench.step(running)
    if step == "publish":
        bench.settle()
        for part in bench.config.paths.transcripts.glob(".sttd-staging/*/*"):
            part.unlink()
    else:
        (bench.config.paths.state / "work" / "1" / "0.jsonl").unlink()
    assert bench.errands.posted
    cancel(bench)
    come_to_rest(bench)


def test_a_job_whose_file_a_person_took_away_when_its_results_were_only_staged_is_cancelled(bench):
    """It was taken for one whose source is filed away already: the cancel was dropped without a word, and the job done."""
    running = attempt(bench)
    for _ in range(CHUNKS + 2):
        bench.step(running)
    bench.settle()
    bench.errands.fails.append((errno.EACCES, False))
    bench.settle()
    (bench.config.paths.inbox / "a.mp3").unlink()
    cancel(bench)
    for _ in range(5):
        bench.go_on()
    assert bench.context.ledger.get(1).state is State.CANCELLED
    assert not list(bench.config.paths.transcripts.rglob("*.txt"))


@pytest.mark.parametrize("steps", [1, CHUNKS + 2], ids=["running", "staged"])
def test_a_recording_that_comes_back_after_its_job_was_cancelled_without_it_is_a_new_job(bench, tmp_path, steps):
    """Nobody had said that it was gone: it lay in the inbox for good, taken for the one that was left there."""
    running, path = attempt(bench), bench.config.paths.inbox / "a.mp3"
    for _ in range(steps):
        bench.step(running)
    if bench.errands.posted:
        bench.settle()
        bench.errands.fails.append((errno.EACCES, False))
        bench.settle()
    path.rename(tmp_path / "taken")
    bench.miss()
    cancel(bench)
    for _ in range(3):
        bench.go_on()
    assert bench.context.ledger.get(1).state is State.CANCELLED
    (tmp_path / "taken").rename(path)
    for _ in range(3):
        bench.go_on()
    assert {job.id: job.state for job in bench.context.ledger.jobs()} == {1: State.CANCELLED, 2: State.DONE}
