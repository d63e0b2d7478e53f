"""Files that may not be read: waited for without attempts, each longer than the one before."""

from __future__ import annotations

import errno
import os

import pytest

from sttd.daemon import readable
from sttd.job import Identity, State
from sttd.part import Cause, Failed
from sttd.rules.due import growing
from tests.harness import PATIENCE


@pytest.fixture
def waiting(stations, tmp_path):
    """A context, and a job whose file could not be read in its first attempt."""
    context, _ = stations
    now = [1e6]
    context.utc = lambda: now[0]
    job = context.ledger.add("a.mp3", Identity(1, 1), now[0])
    job = context.ledger.update(job, cause=Cause.UNREADABLE, attempt=1)
    return context, job, now


def look(context, inputs):
    inputs.get(timeout=PATIENCE).settle()


def test_no_attempt_is_made_until_the_file_can_be_read_and_the_waits_grow(waiting, stations, monkeypatch, log):
    context, job, now = waiting
    may = [False]
    monkeypatch.setattr(readable, "_look", lambda path, below, place: None if may[0] else "it belongs to bob")
    waits = []
    for _ in range(12):
        assert readable.waits(context, job)
        look(*stations)
        job = context.ledger.get(job.id)
        waits.append(job.not_before - now[0])
        now[0] = job.not_before
    assert waits == [30, 30, 60, 120, 240, 480, 600, 600, 600, 600, 600, 600]
    assert (job.error, job.attempt) == ("the file cannot be read: it belongs to bob", 1)
    assert log == []
    may[0] = True
    assert readable.waits(context, job)
    look(*stations)
    job = context.ledger.get(job.id)
    assert job.not_before == 0.0
    assert not readable.waits(context, job), "its attempt finds out the rest"
    assert log == []
    assert readable.waits(context, job), "and where that is in vain it is looked at again"


def test_a_look_that_hangs_keeps_nobody_else_waiting(waiting, monkeypatch):
    """Each gives way when its turn comes; a bounded number of looks is under way."""
    context, _, now = waiting
    monkeypatch.setattr(context.work.checks, "post", lambda *_: None)
    for number in range(100):
        other = context.ledger.add(f"{number}.mp3", Identity(1, 1), now[0])
        other = context.ledger.update(other, cause=Cause.UNREADABLE)
        assert readable.waits(context, other)
        assert context.ledger.get(other.id).not_before > now[0]
    assert len(context.recordings.unreadable.looking) == readable.MOST


def test_a_job_that_went_on_meanwhile_is_left_alone(waiting, stations, monkeypatch):
    context, job, _ = waiting
    monkeypatch.setattr(readable, "_look", lambda path, below, place: "no")
    assert readable.waits(context, job)
    context.ledger.update(job, state=State.CANCELLED)
    look(*stations)
    assert context.ledger.get(job.id).error is None


def attempt(bench):
    (found,) = bench.pool.attempts.values()
    return found


def test_attempts_that_cannot_read_the_file_to_its_end_come_less_and_less_often(bench, log):
    """Each look goes well. There is one line when it begins, and one when an attempt comes further than all before."""
    waits = []
    for _ in range(8):
        bench.step(attempt(bench))
        bench.end(attempt(bench), Cause.UNREADABLE)
        waits.append(bench.context.ledger.get(1).not_before - bench.now)
        bench.tick(waits[-1])
        assert not bench.pool.attempts
        bench.settle()
        bench.tick(0.0)
    assert waits == [30, 30, 60, 120, 240, 480, 600, 600]
    bench.go_on()
    assert bench.context.ledger.get(1).state is State.DONE
    lines = [line.split()[0] for line in log if "unreadable" in line or "can be read" in line]
    assert [level for level in lines if level != "DEBUG"] == ["WARNING", "INFO"]


def test_a_file_that_fails_in_the_middle_is_looked_at_there_and_costs_no_attempt(bench, monkeypatch):
    real, broken, places = os.pread, [True], []

    def pread(handle, length, place):
        places.append(place)
        if broken[0] and place >= 5_000_000:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(handle, length, place)

    monkeypatch.setattr(os, "pread", pread)
    spec = attempt(bench).spec
    bench.pool.attempts.clear()
    carried = {"part_id": spec.part_id, "attempt": spec.attempt, "retriable": True}
    bench.message(Failed(cause=Cause.UNREADABLE, error="Input/output error", unread=5_000_000, **carried))
    for _ in range(3):
        bench.tick(bench.context.ledger.get(1).not_before - bench.now)
        bench.settle()
        bench.tick(0.0)
    job = bench.context.ledger.get(1)
    assert (job.attempt, places) == (1, [5_000_000] * 3)
    assert "Input/output error" in job.error
    broken[0] = False
    for _ in range(2):
        bench.go_on()
    assert bench.context.ledger.get(1).attempt == 2


def test_as_long_again_within_bounds():
    assert [growing(waited, 30, 600) for waited in (0, 29, 45, 599, 601)] == [30, 30, 45, 599, 600]
