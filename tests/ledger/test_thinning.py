"""Which jobs may be forgotten, and which files are still needed."""

from __future__ import annotations

import os

import pytest

from sttd.job import Identity, State
from sttd.ledger import Ledger

ONE, TWO = Identity(10, 1), Identity(20, 2)
OLD, NEW = 1000.0, 2000.0  # when jobs ended; what is before 1500 is forgotten
ODD = os.fsdecode(b"/archive/\xff.mp3")


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(tmp_path / "ledger.db")
    yield opened
    opened.close()


def ended(ledger, source, state=State.DONE, *, at=OLD, identity=ONE, **fields):
    """A job that ended at a time."""
    job = ledger.update(ledger.add(source, identity, 1.0), state=State.RUNNING, attempt=1)
    ledger.begin_attempt(job, 1.0)
    if state is State.DONE:
        job = ledger.update(job, state=State.COMMITTING, plan={})
    return ledger.update(job, state=state, plan=None, finished_at=at, **fields)


def forget(ledger, limit=100):
    return ledger.forget(1500.0, limit)


def test_jobs_that_ended_long_ago_are_forgotten_with_their_attempts(ledger):
    old = [ended(ledger, "a.mp3", location="/archive/a.mp3"), ended(ledger, "b.mp3", State.FAILED, location="/failed/b.mp3"),
           ended(ledger, "c.mp3", location=""), ended(ledger, "d.mp3", State.VANISHED), ended(ledger, "e.mp3", State.CANCELLED, location="")]  # fmt: skip
    new = ended(ledger, "f.mp3", location="/archive/f.mp3", at=NEW)
    assert forget(ledger) == [job.id for job in old]
    assert ledger.jobs() == [new]
    assert ledger.attempts(old[0].id) == []
    assert len(ledger.attempts(new.id)) == 1
    assert ledger.counts()[State.DONE] == 1


def test_a_job_that_has_not_ended_stays(ledger):
    ledger.add("a.mp3", ONE, 1.0)
    ledger.update(ledger.add("b.mp3", ONE, 1.0), state=State.RUNNING)
    assert forget(ledger) == []


@pytest.mark.parametrize("state", [State.DONE, State.CANCELLED])
def test_one_whose_source_may_lie_in_the_inbox_stays(ledger, state):
    """It would come back as a new job: kept sources (`output.source = "keep"`), and cancelled ones."""
    ended(ledger, "a.mp3", state, location=None)
    assert forget(ledger) == []


def test_one_that_is_being_done_again_or_copied_stays_until_that_has_ended(ledger):
    redone = ended(ledger, "a.mp3", location="/archive/a.mp3")
    copied = ended(ledger, "b.mp3", location="/archive/b.mp3")
    redo = ledger.add("a.mp3", ONE, 1.0, redo_of=redone.id, location="/archive/a.mp3")
    twin = ledger.add("c.mp3", ONE, 1.0, copy_of=copied.id)
    assert forget(ledger) == []
    for job in (redo, twin):
        ledger.update(job, state=State.CANCELLED, finished_at=OLD, location="")
    assert forget(ledger) == [redone.id, copied.id, redo.id, twin.id]


def test_one_whose_files_are_being_moved_stays(ledger):
    job = ledger.update(ledger.add("a.mp3", ONE, 1.0), state=State.RUNNING)
    ledger.update(job, state=State.FAILED, plan={"step": "fail"}, finished_at=OLD)
    assert forget(ledger) == []


def test_an_older_job_never_takes_the_place_of_the_latest_of_its_path(ledger):
    """Else a file that equals the older one would be taken for known."""
    older = ended(ledger, "a.mp3", State.CANCELLED, location=None)
    latest = ended(ledger, "a.mp3", identity=TWO, location="/archive/a.mp3")
    assert forget(ledger) == []
    ledger.update(older, location="")
    assert forget(ledger) == [older.id, latest.id]


def test_all_but_the_latest_of_a_path_may_go(ledger):
    first = ended(ledger, "a.mp3", location="/archive/a.mp3")
    ended(ledger, "a.mp3", identity=TWO, location="/archive/a (2).mp3", at=NEW)
    assert forget(ledger) == [first.id]


def test_so_many_at_once_oldest_first(ledger):
    jobs = [ended(ledger, f"{number}.mp3", location="") for number in range(5)]
    assert [forget(ledger, 2) for _ in range(4)] == [
        [jobs[0].id, jobs[1].id],
        [jobs[2].id, jobs[3].id],
        [jobs[4].id],
        [],
    ]


def test_the_sources_of_jobs_that_have_not_ended_are_needed(ledger):
    ended(ledger, "a.mp3", location="/archive/a.mp3")
    ledger.add("b.mp3", ONE, 1.0, redo_of=1, location=ODD)
    ledger.add("c.mp3", ONE, 1.0)
    job = ledger.update(ledger.add("d.mp3", ONE, 1.0, location="/failed/d.mp3"), state=State.RUNNING)
    ledger.update(job, state=State.FAILED, plan={"step": "fail"})
    assert ledger.needed_sources() == {ODD, "/failed/d.mp3"}


def test_a_job_whose_source_is_removed_says_so(ledger):
    """So that it is not done again; one that waits for that file is left alone."""
    gone = ended(ledger, "a.mp3", location=ODD)
    other = ended(ledger, "b.mp3", location="/archive/b.mp3")
    waiting = ledger.add("a.mp3", ONE, 1.0, redo_of=gone.id, location=ODD)
    ledger.sources_removed({ODD, "/archive/c.mp3"})
    assert [ledger.get(job.id).location for job in (gone, other, waiting)] == ["", "/archive/b.mp3", ODD]
