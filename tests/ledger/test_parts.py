"""The rows and checkpoints of parts: they come and go with their job, and a ledger that is lost is made anew with them."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3

import pytest

from sttd.config import Config
from sttd.daemon.opening import open_ledger
from sttd.errors import Stale
from sttd.host.sd_notify import Notifier
from sttd.job import Identity, Shared, State
from sttd.ledger import Checkpoint, Ledger, schema
from sttd.ledger.checkpoint import Broken
from sttd.ledger.fresh import fresh
from sttd.ledger.rows import NEW
from sttd.ledger.whole import Whole
from sttd.part import Cause, Chunk, Place

SOUND = Identity(1000, 5)
SHARED = Shared(3, 20.0, 10.0)
SECOND = 16_000


@pytest.fixture
def ledger(tmp_path):
    with contextlib.closing(Ledger.open(tmp_path / "ledger.db")) as ledger:
        yield ledger


@pytest.fixture
def job(ledger):
    """One that runs and has just been shared out."""
    job = ledger.add("a.mp3", SOUND, 1.0)
    job = ledger.update(
        job, state=State.RUNNING, attempt=2, attempts=1, chunks=4, progress=7.5, batch_size=4, device="cpu"
    )
    return ledger.update(job, shared=SHARED, options_key="key")


def chunk(index: int, start: float, end: float, channel: int = 0) -> Chunk:
    return Chunk(index, round(start * SECOND), round(end * SECOND), (), "en", 0.9, "demo", "en", 0.9, channel=channel)


def write(work, job, part, *chunks: Chunk) -> Checkpoint:
    checkpoint = Checkpoint(work, job, "key", part)
    checkpoint.append(chunks)
    checkpoint.close()
    return Checkpoint(work, job, "key", part)


def test_what_was_done_before_it_was_shared_out_is_its_first_parts(ledger, job):
    first, second, third = ledger.parts(job)
    assert (first.state, first.attempt, first.attempts, first.chunks, first.progress) == (State.RUNNING, 2, 1, 4, 7.5)
    assert (second.state, second.attempt, second.chunks, third.number) == (State.QUEUED, 0, 0, 2)
    assert {(part.batch_size, part.device) for part in (first, second, third)} == {(4, "cpu")}


def test_the_figures_of_a_job_are_those_of_its_parts(ledger, job):
    """A row that is damaged counts as one that nobody has begun, here too."""
    _, second, third = ledger.parts(job)
    ledger.update_part(second, chunks=3, progress=2.25, service=1.5, attempts=1, resumes=2)
    ledger._db.execute("UPDATE parts SET chunks = 9e999 WHERE number = 2")
    assert ledger.sums(job) == {"attempts": 2, "resumes": 2, "service": 1.5, "chunks": 7, "progress": 9.75}
    assert ledger.waiting_parts(job) == 2
    assert ledger.parts(job)[2] == third


def test_a_step_of_a_part_is_checked_against_its_row(ledger, job):
    first, second, _ = ledger.parts(job)
    begun = ledger.update_part(second, state=State.RUNNING, attempt=3, error="\udcff", cause=Cause.CRASH)
    assert begun == dataclasses.replace(second, state=State.RUNNING, attempt=3, error="\\udcff", cause=Cause.CRASH)
    for stale in (second, dataclasses.replace(first, attempt=1), dataclasses.replace(first, number=7)):
        with pytest.raises(Stale):
            ledger.update_part(stale, chunks=9)
    assert ledger.parts(job)[1] == begun


@pytest.mark.parametrize("state", [State.QUEUED, State.FAILED, State.CANCELLED])
def test_no_part_of_a_job_that_does_not_run_runs(ledger, job, state):
    ledger.update(job, state=state)
    assert [part.state for part in ledger.parts(job)] == [State.QUEUED] * 3


def test_a_job_that_begins_anew_has_no_parts(ledger, job):
    again = ledger.update(job, state=State.QUEUED, **fresh(Identity(7, 7)))
    assert ledger.parts(again) == []
    assert ledger._db.execute("SELECT count(*) FROM parts").fetchone()[0] == 0


def test_nothing_of_a_job_that_is_forgotten_stays(ledger, job):
    job = ledger.update(job, state=State.FAILED, finished_at=5.0, location="/failed/a.mp3")
    assert ledger.forget([job.id], 10.0, 20.0) == [job.id]
    assert ledger._db.execute("SELECT count(*) FROM parts").fetchone()[0] == 0


def test_waits_end_with_a_retry_and_with_a_clock_that_is_set_back(ledger, job):
    first, second, third = ledger.parts(job)
    ledger.update_part(first, state=State.DONE, attempts=1)
    ledger.update_part(second, state=State.FAILED, attempts=3, not_before=500.0, cause=Cause.CRASH, error="it died")
    ledger.update_part(third, not_before=9e9)
    ledger.clamp_waits(100.0, 50.0)
    assert [part.not_before for part in ledger.parts(job)] == [0.0, 150.0, 150.0]
    ledger.reopen_parts(job)
    again = ledger.parts(job)
    assert [part.state for part in again] == [State.DONE, State.QUEUED, State.QUEUED]
    assert {(part.attempts, part.not_before, part.cause, part.error) for part in again} == {(0, 0.0, None, None)}


@pytest.mark.parametrize(
    "harm", ["DELETE FROM parts WHERE number = 1", "UPDATE parts SET chunks = 'odd' WHERE number = 1"]
)
def test_a_row_that_is_damaged_or_gone_is_one_that_nobody_has_begun(ledger, job, harm):
    ledger._db.execute(harm)
    with contextlib.closing(Ledger.open_readonly(ledger.path)) as reader:
        assert reader.parts(job)[1].chunks == 0
    assert ledger.parts(job)[1] == dataclasses.replace(ledger.parts(job)[2], number=1)
    ledger.update_part(ledger.parts(job)[1], state=State.RUNNING, attempt=3)


def test_jobs_of_an_older_version_are_one_part(tmp_path):
    path = tmp_path / "ledger.db"
    before = next(version for version, step in enumerate(schema.MIGRATIONS) if "CREATE TABLE parts" in step)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("".join(schema.MIGRATIONS[:before]))
        db.execute(f"PRAGMA user_version = {before}")
        row = NEW | {"source": b"a.mp3", "state": "running", "attempt": 2}
        db.execute(f"INSERT INTO jobs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
        db.execute("INSERT INTO attempts (job, attempt, started_at) VALUES (1, 2, 5.0)")
    with contextlib.closing(Ledger.open(path)) as ledger:
        job = ledger.get(1)
        assert (job.shared, ledger.parts(job)) == (None, [])
        assert [(each["attempt"], each["part"], each["worker"]) for each in ledger.attempts(1)] == [(2, 0, None)]


def test_a_later_part_begins_where_its_border_is(tmp_path, ledger, job):
    """In each channel: nobody knows it before. What follows has no gap."""
    _, second, _ = ledger.parts(job)
    checkpoint = write(tmp_path, job, second, chunk(0, 11, 15, 1), chunk(1, 12, 16, 2), chunk(2, 15, 18, 1))
    resume = checkpoint.resume()
    assert resume.places == {1: Place(18 * SECOND, "en", 0.9), 2: Place(16 * SECOND, "en", 0.9)}
    assert resume.begins == {1: 11 * SECOND, 2: 12 * SECOND}
    assert len(list(checkpoint.chunks())) == 3
    torn = write(tmp_path, job, second, chunk(3, 19, 20, 1))
    assert torn.resume().index == 3
    assert len(list(torn.chunks())) == 3


def test_a_checkpoint_of_another_part_or_sharing_counts_for_nothing(tmp_path, ledger, job):
    first, second, _ = ledger.parts(job)
    path = write(tmp_path, job, second, chunk(0, 11, 15)).path
    path.rename(path.with_name("0.jsonl"))
    assert Checkpoint(tmp_path, job, "key", first).resume().index == 0
    assert Checkpoint(tmp_path, job, "key").shared() == SHARED
    assert Checkpoint(tmp_path, job, "other").shared() is None
    other = job.evolve(shared=Shared(2, 20.0, 15.0))
    assert Checkpoint(tmp_path, other, "key", second).resume().index == 0


def test_a_head_that_was_written_before_a_recording_was_shared_out_is_written_anew(tmp_path, ledger):
    """A kill may leave it without a chunk. With it the chunks of part 0 would be those of all of the recording."""
    job = ledger.add("a.mp3", SOUND, 1.0)
    head = write(tmp_path, job, None, chunk(0, 0, 5)).path
    head.write_bytes(head.read_bytes().splitlines(keepends=True)[0])
    checkpoint = Checkpoint(tmp_path, job, "key")
    assert checkpoint.resume().index == 0
    checkpoint.share(SHARED)
    checkpoint.append([chunk(0, 0, 6)])
    checkpoint.close()
    again = Checkpoint(tmp_path, job, "key")
    assert (again.shared(), again.resume().index) == (SHARED, 0)


def test_parts_together_are_one_transcript_or_say_which_one_is_not(tmp_path, ledger, job):
    parts = [dataclasses.replace(part, chunks=count) for part, count in zip(ledger.parts(job), (2, 1, 0), strict=True)]
    write(tmp_path, job, parts[0], chunk(0, 0, 6), chunk(1, 6, 11))
    write(tmp_path, job, parts[1], chunk(0, 11, 19))
    whole = Whole([Checkpoint(tmp_path, job, "key", part) for part in parts])
    assert whole.broken() is None
    assert [(each.index, each.start // SECOND) for each in whole.chunks()] == [(0, 0), (1, 6), (2, 11)]
    more = [dataclasses.replace(part, chunks=2) for part in parts]
    assert Whole([Checkpoint(tmp_path, job, "key", part) for part in more]).broken() == Broken(1)
    (tmp_path / "1" / "1.jsonl").unlink()
    write(tmp_path, job, parts[1], chunk(0, 10, 19))
    apart = Whole([Checkpoint(tmp_path, job, "key", part) for part in parts])
    assert apart.broken() == Broken(1, is_apart=True)


def test_with_a_jobs_checkpoint_those_of_its_parts_go(tmp_path, ledger, job):
    parts = ledger.parts(job)
    for part in parts:
        write(tmp_path, job, part, chunk(0, 0, 6))
    Checkpoint(tmp_path, job, "key", parts[2]).discard()
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == ["0.jsonl", "1.jsonl"]
    Checkpoint(tmp_path, job, "key").remove()
    assert not (tmp_path / "1").exists()


@pytest.mark.parametrize("there", [(0, 1), (2,)], ids=["the first parts", "the last one alone"])
def test_a_ledger_made_anew_has_a_shared_out_job_again(tmp_path, ledger, job, there):
    """Whichever of its checkpoints there are. They say how far each part is."""
    parts = ledger.parts(job)
    for number in there:
        write(tmp_path / "work", job, parts[number], chunk(0, 0 if number == 0 else 10 * number, 10 * number + 5))
    config = Config()
    config = dataclasses.replace(config, paths=dataclasses.replace(config.paths, state=tmp_path))
    ledger.close()
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    with contextlib.closing(open_ledger(config, Notifier({}))) as again:
        found = again.get(job.id)
        assert (found.state, found.shared, found.source, found.identity) == (State.QUEUED, SHARED, "a.mp3", SOUND)
        assert [part.state for part in again.parts(found)] == [State.QUEUED] * 3
        resumes = [Checkpoint(tmp_path / "work", found, "key", part).resume().index for part in again.parts(found)]
        assert resumes == [int(number in there) for number in range(3)]


def test_a_failed_job_that_the_manifest_knows_can_go_on_after_a_rebuild(tmp_path, ledger, job):
    ledger.update(job, state=State.FAILED, error="it went wrong", location="/failed/a.mp3")
    ledger.record()
    config = Config()
    config = dataclasses.replace(config, paths=dataclasses.replace(config.paths, state=tmp_path))
    ledger.close()
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    with contextlib.closing(open_ledger(config, Notifier({}))) as again:
        found = again.get(job.id)
        assert (found.state, found.shared) == (State.FAILED, SHARED)
        assert len(again.parts(found)) == 3
