"""From a whole transcript to staged files, over a real ledger and real files."""

from __future__ import annotations

import dataclasses
import errno
import os
import queue
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from loguru import logger

from sttd import outbox
from sttd.configfile import load
from sttd.daemon import filing, orders, twins
from sttd.daemon.context import Context
from sttd.job import Identity, State
from sttd.ledger import Ledger
from sttd.part import Cause
from tests.daemon.conftest import context_of
from tests.harness import PATIENCE
from tests.machine import needs_root
from tests.properties.stations import CHUNKS, Stations
from tests.unprivileged import as_nobody


def transcribed(context: Context):
    """A job whose worker has said that it is done."""
    path = context.config.paths.inbox / "talk.flac"
    path.write_bytes(b"as it was")
    job = context.ledger.add("talk.flac", Identity.of(path.stat()), context.utc())
    job = context.ledger.update(job, state=State.RUNNING, attempt=1, options_key=orders.key_of(context, job))
    return path, job


def stage(context: Context, inputs: queue.SimpleQueue, job):
    """Begin to file it, and take the errand's outcome."""
    plan = {"step": "stage", "chunks": 0}
    filing.advance(context, context.ledger.update(job, state=State.COMMITTING, plan=plan))
    inputs.get(timeout=PATIENCE).settle()
    return context.ledger.get(job.id)


def test_a_source_that_changed_after_its_transcript_starts_again_and_holds_nobody_up(stations):
    context, inputs = stations
    path, job = transcribed(context)
    path.write_bytes(b"as it is now")
    job = stage(context, inputs, job)
    assert job.state is State.QUEUED
    assert job.identity == Identity.of(path.stat())
    assert not context.troubles.hold()
    assert not len(context.filing.tries)


def test_a_list_of_names_that_went_bad_holds_its_job_alone_and_is_said(stations, tmp_path):
    """What was heard stays in the checkpoint; the job is tried again."""
    context, inputs = stations
    _, job = transcribed(context)
    (tmp_path / "names.txt").write_text("jon")
    spoken = dataclasses.replace(context.config.transcribe, replace=tmp_path / "names.txt")
    context.config = dataclasses.replace(context.config, transcribe=spoken)
    assert stage(context, inputs, job).state is State.COMMITTING
    assert not context.troubles.hold()
    assert "names.txt: line 1: write it as" in str(context.troubles.texts())


def test_a_source_with_a_bad_sector_holds_its_job_alone_and_is_said(stations, monkeypatch):
    """It was transcribed; what cannot be read lies where no sound is."""
    context, inputs = stations
    _, job = transcribed(context)

    def refused(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr("hashlib.file_digest", refused)
        assert stage(context, inputs, job).state is State.COMMITTING
    assert not context.troubles.hold()
    assert "it cannot be read to its end (Input/output error): drop a copy" in str(context.troubles.texts())
    context.filing.tries.hurry(job.id)
    assert stage(context, inputs, context.ledger.get(job.id)).sha256


class Kicked:
    """As much of an inbox as filing asks for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def forget(self, rel: str) -> None:
        self.asked.append(f"forget {rel}")

    def kick(self) -> None:
        self.asked.append("kick")


def test_a_source_that_changes_while_it_is_filed_away_is_looked_for_at_once(stations, monkeypatch):
    """What the inbox saw of it meanwhile is forgotten with the old file. Without a walk it lay there until the next rescan."""
    context, inputs = stations
    path, job = transcribed(context)
    context.inbox = Kicked()
    keep = outbox.keep

    def late(plan, places):
        path.write_bytes(b"its recorder went on")
        return keep(plan, places)

    monkeypatch.setattr(outbox, "keep", late)
    (context.config.paths.inbox / ".sttd.lock").touch()
    stage(context, inputs, job)
    inputs.get(timeout=PATIENCE).settle()
    job = context.ledger.get(job.id)
    assert (job.state, job.location, path.exists()) == (State.DONE, "", True)
    assert context.inbox.asked[-2:] == ["forget talk.flac", "kick"]


def test_a_source_that_is_gone_after_its_transcript_waits_for_the_inbox_to_say_so(stations):
    context, inputs = stations
    path, job = transcribed(context)
    path.unlink()
    job = stage(context, inputs, job)
    assert (job.state, job.cause) == (State.QUEUED, Cause.GONE)
    assert not context.troubles.hold()


def test_a_full_disk_keeps_every_job_from_starting_and_is_logged_once(stations, monkeypatch, log):
    """The machine's fault: no attempt is spent, the job goes on where it was, and the trouble ends with its cause."""
    context, inputs = stations
    _, job = transcribed(context)
    with monkeypatch.context() as patch:
        patch.setattr(
            "sttd.outbox.stage", lambda *_, **_more: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left"))
        )
        for _ in range(2):
            job = stage(context, inputs, job)
            context.filing.tries.hurry(job.id)
    assert (job.state, job.plan, job.attempts) == (State.COMMITTING, {"step": "stage", "chunks": 0}, 0)
    assert context.troubles.hold()
    assert [line for line in context.troubles.texts() if "results cannot be written: [Errno 28]" in line]
    assert len([line for line in log if "cannot be written" in line]) == 1
    filing.resume(context)
    for _ in range(2):  # staged, published
        inputs.get(timeout=PATIENCE).settle()
    assert context.ledger.get(job.id).state is State.DONE
    assert not list(context.troubles)


def test_a_folder_that_is_not_mounted_keeps_every_job_from_starting_and_its_checkpoint_stays(bench):
    """Also over a kill; the checkpoint goes once the results were seen in place."""
    root, ledger = bench.config.paths.root, bench.context.ledger
    (attempt,) = bench.pool.attempts.values()
    for _ in range(CHUNKS + 2):
        bench.step(attempt)
    bench.settle()  # staged
    checkpoint = root / "state" / "work" / "1" / "0.jsonl"
    (root / "transcripts").rename(root / "away")
    (root / "transcripts").mkdir()
    bench.settle()
    assert (ledger.get(1).state, checkpoint.exists()) == (State.COMMITTING, True)
    assert bench.context.troubles.hold()
    assert [text for text in bench.context.troubles.texts() if "is not the folder that it was" in text]
    bench.crash(halfway=False)
    bench.settle()
    assert (bench.context.ledger.get(1).state, checkpoint.exists()) == (State.COMMITTING, True)
    shutil.rmtree(root / "transcripts")
    (root / "away").rename(root / "transcripts")
    bench.go_on()
    assert (bench.context.ledger.get(1).state, checkpoint.exists()) == (State.DONE, False)
    assert not bench.context.troubles.hold()


@pytest.mark.parametrize(("folder", "end"), [("archive", State.DONE), ("failed", State.FAILED)])
def test_a_folder_for_sources_that_is_not_mounted_gets_none_and_what_was_heard_stays(bench, folder, end):
    """Also over a kill. Nobody who comes to a transcript needs the one for failures."""
    root = bench.config.paths.root
    come_to(bench, end)  # the folder is known from then on
    (root / folder).rename(root / "away")
    (root / folder).mkdir()
    (root / "inbox" / "b.mp3").write_text("another")
    bench.look()
    bench.tick(1.0)
    come_to(bench, end)
    checkpoint = root / "state" / "work" / "2" / "0.jsonl"
    for _ in range(2):
        assert bench.context.ledger.get(2).plan is not None
        assert ((root / "inbox" / "b.mp3").exists(), checkpoint.exists()) == (True, True)
        assert list((root / folder).iterdir()) == []
        assert bench.context.troubles.hold() == (folder == "archive")
        assert [text for text in bench.context.troubles.texts() if "is not the folder that it was" in text]
        bench.crash(halfway=False)
        bench.settle()
    (root / folder).rmdir()
    (root / "away").rename(root / folder)
    bench.go_on()
    job = bench.context.ledger.get(2)
    assert (job.state, job.plan, job.location) == (end, None, str(root / folder / "b.mp3"))
    assert (root / folder / "b.mp3").read_text() == "another"
    assert not bench.context.troubles.texts()


def come_to(bench, end: State) -> None:
    """The running job comes to its end as far as it can; to a bad one after its first window."""
    (attempt,) = bench.pool.attempts.values()
    for _ in range(2 if end is State.FAILED else CHUNKS + 2):
        bench.step(attempt)
    if end is State.FAILED:
        bench.end(attempt, Cause.BAD_FILE)
    while bench.errands.posted:
        bench.settle()


def test_a_recording_of_whose_name_nothing_is_accepted_ends_in_failed_and_holds_nobody_up(stations, monkeypatch):
    """Neither its own name, nor an escaped or cut one: it was committing for ever."""
    context, inputs = stations
    path, job = transcribed(context)
    refuse = lambda *_: (_ for _ in ()).throw(OSError(errno.EINVAL, "Invalid argument"))  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr("sttd.outbox.publish._Results._place", refuse)
        stage(context, inputs, job)
        inputs.get(timeout=PATIENCE).settle()
    job = context.ledger.get(job.id)
    assert (job.state, job.cause, job.plan) == (State.FAILED, Cause.ERROR, {"step": "fail"})
    assert (
        "no name for its results is accepted: [Errno 22] Invalid argument: drop it again under another name, "
        f"or `sttd retry {job.id}` where the folder takes it by now" in job.error
    )
    assert not list(context.troubles)
    filing.resume(context)
    inputs.get(timeout=PATIENCE).settle()
    assert context.ledger.get(job.id).location == str(context.config.paths.failed / "talk.flac")
    assert not path.exists()


@needs_root
def test_a_source_that_may_not_be_moved_stays_and_its_job_is_done_with_words():
    """In a folder made with a umask of 022, as people do: the results are there, nobody is held up, the log says what to do."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o777)
        theirs = root / "inbox" / "theirs"
        theirs.mkdir(parents=True)
        theirs.parent.chmod(0o777)
        (theirs / "talk.flac").write_bytes(b"speech")
        done = as_nobody(lambda: _file_away(root))
        assert (theirs / "talk.flac").exists()
    words, state, held, _, results = done.out.splitlines()
    assert (state, held, results) == ("done", "held: False", "['talk.und.txt']")
    assert f"sttd may not move files out of {theirs} (made with a umask of 022?): chmod g+w it" in words


@needs_root
def test_sources_that_may_not_be_moved_are_no_new_jobs_to_later_looks_and_starts():
    """They stay as with `output.source = "keep"`, each of such a folder."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        theirs = root / "inbox" / "theirs"
        theirs.mkdir(parents=True)
        for folder in (root, theirs.parent):
            folder.chmod(0o777)
        for each in ("one.flac", "two.flac"):
            (theirs / each).write_text(each)
        done = as_nobody(lambda: _come_to_rest(root))
        assert sorted(path.name for path in theirs.iterdir()) == ["one.flac", "two.flac"]
    at_rest = ["theirs/one.flac done None", "theirs/two.flac done None", "one.en.txt two.en.txt"]
    assert done.out.splitlines() == 2 * at_rest, done.err


def _come_to_rest(root: Path) -> None:
    stations = Stations(root, "archive")
    for _ in range(2):
        for _ in range(2):
            stations.go_on()
        for job in sorted(stations.context.ledger.jobs(), key=lambda job: job.source):
            print(job.source, job.state, job.location)
        print(*sorted(path.name for path in (root / "transcripts" / "theirs").glob("*.txt")))
        stations.crash(halfway=False)


@needs_root
def test_an_archive_that_nothing_may_be_moved_into_is_not_said_to_be_the_inbox():
    """Jobs of other folders go on, and the words name the archive."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "inbox" / "theirs").mkdir(parents=True)
        (root / "archive" / "theirs").mkdir(parents=True, mode=0o755)
        for folder in (root, root / "archive", root / "inbox", root / "inbox" / "theirs"):
            folder.chmod(0o777)
        (root / "inbox" / "theirs" / "talk.flac").write_bytes(b"speech")
        done = as_nobody(lambda: _file_away(root))
    _, state, held, words, _ = done.out.splitlines()
    assert (state, held) == ("committing", "held: False")
    closed = root / "archive" / "theirs"
    assert (
        f"may not write into {closed}, which belongs to root:root with mode 0755: chgrp nogroup and chmod g+rwx"
        in words
    )
    assert words.count("chmod") == 1, "the folder of the inbox is fine"


def _file_away(root: Path) -> None:
    config = load(None, root=root, sets=["model.name=demo", "output.formats=txt"], environ={})
    config.paths.state.mkdir()
    inputs: queue.SimpleQueue = queue.SimpleQueue()
    ledger = Ledger.open(config.paths.state / "ledger.db")
    context = context_of(config, ledger, inputs)
    logger.remove()
    logger.add(sys.stdout, level="ERROR", format="{message}")
    job = ledger.add("theirs/talk.flac", Identity.of((root / "inbox/theirs/talk.flac").stat()), context.utc())
    job = ledger.update(job, state=State.RUNNING, attempt=1, options_key=orders.key_of(context, job))
    stage(context, inputs, job)
    inputs.get(timeout=PATIENCE).settle()  # the publishing
    print(ledger.get(job.id).state)
    print("held:", context.troubles.hold())
    print(*context.troubles.texts())
    print([path.name for path in (root / "transcripts" / "theirs").iterdir()])


def unplaced(context, inputs, monkeypatch):
    """A job whose results are in place, and whose source cannot be filed away."""
    path, job = transcribed(context)
    with monkeypatch.context() as patch:
        patch.setattr(
            "sttd.outbox.source.file_source", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "immutable"))
        )
        job = stage(context, inputs, job)
        inputs.get(timeout=PATIENCE).settle()
    assert results(context)
    return path, context.ledger.get(job.id)


def results(context) -> list[str]:
    """The names that people see; a staging folder may go while one looks."""
    walk = os.walk(context.config.paths.transcripts)
    return sorted(name for _, _, names in walk for name in names if "." in name.lstrip(".") and name[0] != ".")


def test_one_file_that_cannot_be_filed_away_holds_up_nobody_else_and_is_shown_as_long_as_it_lasts(
    stations, monkeypatch
):
    context, inputs = stations
    _, job = unplaced(context, inputs, monkeypatch)
    assert job.state is State.COMMITTING
    assert not context.troubles.hold()
    assert [text for text in context.troubles.texts() if "immutable" in text]
    context.filing.tries.hurry(job.id)
    filing.resume(context)
    inputs.get(timeout=PATIENCE).settle()
    assert context.ledger.get(job.id).state is State.DONE
    assert not list(context.troubles)


def test_a_job_whose_files_cannot_be_put_in_place_can_be_cancelled(stations, monkeypatch):
    """What was placed is taken back; a person's own file beside it, and the source, stay."""
    context, inputs = stations
    path, job = unplaced(context, inputs, monkeypatch)
    (context.config.paths.transcripts / "mine.txt").write_text("mine")
    filing.cancel(context, job)
    inputs.get(timeout=PATIENCE).settle()
    assert context.ledger.get(job.id).state is State.CANCELLED
    assert results(context) == ["mine.txt"]
    assert path.read_bytes() == b"as it was"
    assert not list(context.troubles)


def test_a_cancelled_job_whose_source_is_filed_away_already_is_done(stations):
    """Too late: nothing that is finished is taken apart."""
    context, inputs = stations
    _, job = transcribed(context)
    job = stage(context, inputs, job)
    published = inputs.get(timeout=PATIENCE)  # in place, and the ledger does not know yet
    context.ledger.update(job, cause=Cause.CANCELLED)
    context.filing.tries.end(job.id)  # as after a kill
    filing.resume(context)
    for _ in range(2):  # nothing is taken back; published once more
        inputs.get(timeout=PATIENCE).settle()
    done = context.ledger.get(job.id)
    assert (done.state, done.cause) == (State.DONE, None)
    assert results(context)
    del published


def test_a_checkpoint_that_is_gone_makes_no_empty_transcript(stations):
    """The row knows how many chunks there were: without them the recording is transcribed again."""
    context, inputs = stations
    _, job = transcribed(context)
    plan = {"step": "stage", "chunks": 3}
    filing.advance(context, context.ledger.update(job, state=State.COMMITTING, plan=plan))
    inputs.get(timeout=PATIENCE).settle()
    assert context.ledger.get(job.id).state is State.QUEUED


def test_only_the_queued_version_of_a_file_is_hashed_and_no_link_is_followed(stations):
    """A hash of another one would give its transcript to the wrong recording."""
    context, _ = stations
    path, job = transcribed(context)
    assert twins.content_hash(job, context.places)
    linked = dataclasses.replace(job, source="sub/talk.flac")
    (path.parent / "sub").symlink_to(path.parent)
    assert twins.content_hash(linked, context.places) is None
    os.utime(path, ns=(0, 0))
    assert twins.content_hash(job, context.places) is None
