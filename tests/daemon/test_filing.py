"""From a whole transcript to staged files, over a real ledger and real files."""

from __future__ import annotations

import os
import queue
from pathlib import Path

import pytest

from sttd.configfile import load
from sttd.daemon import dispatch, filing
from sttd.daemon.context import Context
from sttd.daemon.errands import Errands
from sttd.job import Identity, State
from sttd.ledger import Ledger
from sttd.part import Cause
from sttd.pool.deadlines import Deadlines
from sttd.pool.local import LocalPool


@pytest.fixture
def stations(tmp_path: Path):
    """A context whose pool is never started, and the queue of its errands."""
    config = load(None, root=tmp_path, sets=["model.name=demo"], environ={})
    for folder in ("inbox", "state"):
        (tmp_path / folder).mkdir()
    ledger = Ledger.open(tmp_path / "state" / "ledger.db")
    inputs: queue.SimpleQueue = queue.SimpleQueue()
    yield Context(config, ledger, LocalPool(config), None, Errands(inputs.put), Deadlines()), inputs
    ledger.close()


def transcribed(context: Context):
    """A job whose worker has said that it is done."""
    path = context.config.paths.inbox / "talk.flac"
    path.write_bytes(b"as it was")
    job = context.ledger.add("talk.flac", Identity.of(path.stat()), context.utc())
    job = context.ledger.update(job, state=State.RUNNING, attempt=1, options_key=dispatch.key_of(context, job))
    return path, job


def stage(context: Context, inputs: queue.SimpleQueue, job):
    """Begin to file it, and take the errand's outcome."""
    filing.begin(context, job, ())
    context.errands.settle(inputs.get(timeout=30))
    return context.ledger.get(job.id)


def test_a_source_that_changed_after_its_transcript_starts_again_and_holds_nobody_up(stations):
    context, inputs = stations
    path, job = transcribed(context)
    path.write_bytes(b"as it is now")
    job = stage(context, inputs, job)
    assert job.state is State.QUEUED
    assert job.identity == Identity.of(path.stat())
    assert not context.held()
    assert not context.filing


def test_a_source_that_is_gone_after_its_transcript_waits_for_the_inbox_to_say_so(stations):
    context, inputs = stations
    path, job = transcribed(context)
    path.unlink()
    job = stage(context, inputs, job)
    assert (job.state, job.cause) == (State.QUEUED, Cause.GONE)
    assert not context.held()


def test_a_full_disk_holds_up_everybody_and_is_said(stations):
    """The machine's fault: no attempt is spent."""
    context, inputs = stations
    _, job = transcribed(context)
    context.config.paths.transcripts.write_text("a file where the folder should be")
    job = stage(context, inputs, job)
    assert (job.state, job.cause, job.attempts) == (State.QUEUED, Cause.MACHINE, 0)
    assert context.held()
    assert "results cannot be written" in context.trouble["outbox"].text


def test_only_the_queued_version_of_a_file_is_hashed(tmp_path):
    """A hash of another one would give its transcript to the wrong recording."""
    path = tmp_path / "talk.flac"
    path.write_bytes(b"as it was")
    before = Identity.of(path.stat())
    assert dispatch.content_hash(str(path), before)
    os.utime(path, ns=(0, 0))
    assert dispatch.content_hash(str(path), before) is None
