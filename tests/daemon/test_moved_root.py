"""A root that was copied (`cp -a /srv/sttd /other`): its jobs are about its own files, and the old root is left alone."""

from __future__ import annotations

import os

import pytest

from sttd.daemon import sweep
from sttd.job import Identity, State
from sttd.ledger import facts
from sttd.part import Cause


@pytest.fixture
def copied(stations, tmp_path):
    """The context of the copy; `put` puts a file into a folder of both roots, and returns where the old one lies."""
    context, _ = stations
    context.inbox = Inbox()

    def put(place):
        for root in (tmp_path / "old", tmp_path):
            path = root / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"sound")
            os.utime(path, (1.0, 1.0))
        return str(tmp_path / "old" / place)

    return context, put


class Inbox:
    def reasons(self):
        return {"": None}

    def expect(self, rels):
        """What it is to look for."""

    def forget(self, rel):
        """Its source is on its way out."""


SOUND = Identity(5, 10**9)


def test_jobs_that_wait_after_a_retry_or_a_redo_take_the_files_of_the_copy(copied, tmp_path):
    """One that has no file there keeps its place: its attempt will say that it is gone."""
    context, put = copied
    add = context.ledger.add
    add("sub/a.mp3", SOUND, 1.0, location=put("failed/sub/a.mp3"))
    add("b.mp3", SOUND, 1.0, location=put("archive/b.mp3"), redo_of=1)
    add("c.mp3", SOUND, 1.0)
    add("d.mp3", SOUND, 1.0, location="/elsewhere/failed/d.mp3")
    running = add("e.mp3", SOUND, 1.0, location=put("failed/e.mp3"))
    context.ledger.update(running, state=State.RUNNING, attempt=1)
    sweep.recover(context)
    places = {job.source: job.location for job in context.ledger.jobs()}
    assert places == {
        "sub/a.mp3": str(tmp_path / "failed/sub/a.mp3"),
        "b.mp3": str(tmp_path / "archive/b.mp3"),
        "c.mp3": None,
        "d.mp3": "/elsewhere/failed/d.mp3",
        "e.mp3": str(tmp_path / "failed/e.mp3"),
    }


def test_a_job_whose_files_are_being_moved_takes_none_out_of_the_old_root(copied, tmp_path):
    context, put = copied
    job = context.ledger.add("a.mp3", SOUND, 1.0, location=put("failed/a.mp3"))
    job = context.ledger.update(job, state=State.RUNNING, attempt=1)
    context.ledger.update(job, state=State.COMMITTING, cause=Cause.CANCELLED, plan={"location": job.location})
    context.stopping = True  # its files are moved by nobody here
    sweep.recover(context)
    job = context.ledger.get(1)
    assert (job.location, job.plan) == (str(tmp_path / "failed/a.mp3"), {"location": str(tmp_path / "failed/a.mp3")})


def test_a_file_that_waits_in_a_former_inbox_is_none_of_the_archives(copied, tmp_path):
    """Though one of the same name and size lies there."""
    context, put = copied
    put("archive/a.mp3")
    context.ledger.set_fact(facts.FORMER_INBOXES, ("/was/inbox",))
    job = context.ledger.add("a.mp3", SOUND, 1.0, location="/was/inbox/a.mp3")
    sweep.recover(context)
    assert context.ledger.get(job.id).location == "/was/inbox/a.mp3"


def test_a_file_that_is_transcribed_from_where_it_lies_is_none_of_the_archives(copied):
    """`sttd transcribe`: no inbox, and any path."""
    context, put = copied
    put("archive/a.mp3")
    context.inbox = None
    job = context.ledger.add("a.mp3", SOUND, 1.0, location="/home/a.mp3")
    sweep.recover(context)
    assert context.ledger.get(job.id).location == "/home/a.mp3"
