"""Which jobs may be forgotten, and which files are still needed."""

from __future__ import annotations

import contextlib
import os
import sqlite3

import pytest

from sttd.job import Identity, State
from sttd.ledger import Checkpoint, Ledger, facts, schema
from sttd.ledger.manifest.rebuild import rebuild
from sttd.part import Chunk

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
    return ledger.forget(ledger.forgettable(1500.0, limit), 1500.0, NEW)


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


@pytest.mark.parametrize("state", [State.DONE, State.CANCELLED, State.FAILED])
def test_one_whose_source_may_lie_in_the_inbox_stays(ledger, state):
    """It would come back as a new job: kept sources (`output.source = "keep"`), cancelled ones, those that failed in a library."""
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
    """So that it is not done again; a file that a waiting job needs stays."""
    gone = ended(ledger, "a.mp3", location=ODD)
    other = ended(ledger, "b.mp3", location="/archive/b.mp3")
    waiting = ledger.add("a.mp3", ONE, 1.0, redo_of=gone.id, location=ODD)
    redo = ledger.add("b.mp3", ONE, 1.0, redo_of=other.id, location="/archive/b.mp3")
    assert ledger.give_up_sources([ODD]) == []
    ledger.update(waiting, state=State.CANCELLED)
    assert ledger.give_up_sources([ODD, "/archive/b.mp3", "/archive/c.mp3"]) == [ODD, "/archive/c.mp3"]
    assert [ledger.get(job.id).location for job in (gone, other, waiting, redo)] == [
        "",
        "/archive/b.mp3",
        "",
        "/archive/b.mp3",
    ]


def test_a_forgotten_job_does_not_come_back_with_a_ledger_that_is_made_anew(tmp_path):
    """Its line stays in the manifest until that is rewritten; one with a checkpoint that nobody removed is gone as well."""
    path, work = tmp_path / "ledger.db", tmp_path / "work"
    with contextlib.closing(Ledger.open(path)) as opened:
        old = ended(opened, "a.mp3", location="/archive/a.mp3")
        new = ended(opened, "b.mp3", location="/archive/b.mp3", at=NEW)
        Checkpoint(work, old, "key").append([Chunk(0, 0, 160_000, (), "und", 0.0, "demo")])
        assert forget(opened) == [old.id]
    path.unlink()
    rebuild(path, work, lambda: None)
    with contextlib.closing(Ledger.open(path)) as opened:
        assert [job.id for job in opened.jobs()] == [new.id]
        assert opened.fact(facts.FORGOTTEN) is not None


def test_what_the_manifest_is_owed_of_a_forgotten_job_is_that_it_is_gone(tmp_path):
    """It could not be written for a while; the start after that goes well, and the manifest says so in the end."""
    path, manifest = tmp_path / "ledger.db", tmp_path / "manifest.jsonl"
    with contextlib.closing(Ledger.open(path)) as opened:
        old, new = ended(opened, "a.mp3", location="/archive/a.mp3"), ended(opened, "b.mp3", location="", at=NEW)
        aside = manifest.rename(tmp_path / "aside")
        opened.manifest.close()
        manifest.mkdir()
        opened.update(old, error="changed")
        assert forget(opened) == [old.id]
    with contextlib.closing(Ledger.open(path)) as opened:
        with pytest.raises(IsADirectoryError):
            opened.record()
        assert not opened.is_recorded
        manifest.rmdir()
        aside.rename(manifest)
        opened.add("c.mp3", ONE, 1.0)
        assert opened.is_recorded
    path.unlink()
    rebuild(path, tmp_path / "work", lambda: None)
    with contextlib.closing(Ledger.open(path)) as opened:
        assert [job.id for job in opened.jobs()] == [new.id]


def test_a_long_backlog_of_the_manifest_is_written_in_steps(tmp_path):
    """20,000 jobs that the manifest missed do not hold the loop: each step takes a few hundred."""
    with contextlib.closing(Ledger.open(tmp_path / "ledger.db")) as opened:
        (tmp_path / "manifest.jsonl").mkdir()
        with opened.transaction():
            for number in range(1200):
                opened.add(f"{number}.mp3", ONE, 1.0, state=State.DONE)
        (tmp_path / "manifest.jsonl").rmdir()
        sizes = [0]
        while not opened.is_recorded:
            opened.record()
            sizes.append(opened.manifest.size())
        assert len(sizes) == 4
        assert len(list(opened.manifest.records())) == 1200


def test_jobs_that_an_earlier_version_forgot_are_gone_from_the_manifest_too(tmp_path):
    """That version wrote no word of it: what is missing among the numbers is told when the ledger is migrated."""
    path = tmp_path / "ledger.db"
    steps = schema.MIGRATIONS
    with contextlib.closing(Ledger.open(path)) as opened:
        kept = [ended(opened, f"{number}.mp3", location="") for number in range(4)]
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as db:  # as it was
        db.executescript("".join(steps[:2]) + "PRAGMA user_version = 2;")
        names = ", ".join(row[1] for row in db.execute("PRAGMA table_info(jobs)"))
        db.execute("ATTACH ? AS new", (str(path),))
        db.execute(f"INSERT INTO jobs ({names}) SELECT {names} FROM new.jobs WHERE id NOT IN (1, 4)")
        db.execute("UPDATE sqlite_sequence SET seq = 4")
        db.commit()
    (tmp_path / "old.db").rename(path)
    with contextlib.closing(Ledger.open(path)) as opened:
        assert [job.owner for job in opened.jobs()] == [-1, -1]
        assert opened.fact(facts.FORGOTTEN) == 0.0
        opened.record()
    path.unlink()
    rebuild(path, tmp_path / "work", lambda: None)
    with contextlib.closing(Ledger.open(path)) as opened:
        assert [job.id for job in opened.jobs(newest=False)] == [kept[1].id, kept[2].id]
