"""Results or sources that cannot be put in place: who waits, and that nothing is said to be over which is not."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sttd import outbox
from sttd.job import State
from sttd.outbox import source
from sttd.part import Cause
from tests.properties.stations import Attempt, Stations


def finished(stations: Stations, attempt: Attempt) -> None:
    """Its worker goes on to the end, and what follows is done."""
    while attempt.spec.part_id in stations.pool.attempts:
        stations.step(attempt)
    settled(stations)


def settled(stations: Stations) -> None:
    while stations.errands.posted:
        stations.settle()


def begun(stations: Stations, *names: str) -> list[Attempt]:
    for name in names:
        (stations.config.paths.inbox / name).write_text(name)
    stations.look()
    stations.tick(1.0)
    return [each for each in stations.pool.attempts.values() if os.path.basename(each.spec.source) in names]


def failing(number: int) -> Callable[..., None]:
    """What fails with an error of the system, whatever it is called with."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


stale = failing(errno.ESTALE)


def test_a_folder_for_failures_that_is_away_holds_only_what_failed(tmp_path, monkeypatch, log):
    """Nobody who comes to a transcript needs it, and a transcript says nothing of it."""
    stations = Stations(tmp_path, "archive")
    bad, good = begun(stations, "bad.mp3", "good.mp3")
    monkeypatch.setattr(outbox, "file_failure", stale)
    stations.end(bad, Cause.BAD_FILE)
    settled(stations)
    assert not stations.context.troubles.hold()
    finished(stations, good)
    assert not [line for line in log if "over:" in line]
    (text,) = stations.context.troubles.texts()
    assert "Stale file handle" in text
    monkeypatch.undo()
    stations.tick(stations.config.pool.machine_wait)
    settled(stations)
    assert list(stations.context.troubles) == []
    assert len([line for line in log if "over:" in line]) == 1
    assert {job.state for job in stations.context.ledger.jobs()} == {State.DONE, State.FAILED}
    assert all(job.plan is None for job in stations.context.ledger.jobs())
    stations.context.ledger.close()


def test_a_folder_for_failures_that_is_away_is_one_trouble_of_recordings_of_many_folders(tmp_path, monkeypatch, log):
    stations = Stations(tmp_path, "archive")
    monkeypatch.setattr(outbox, "file_failure", stale)
    for name in ("monday", "tuesday"):
        (stations.config.paths.inbox / name).mkdir()
        begun(stations, f"{name}/bad.mp3")
        (bad,) = stations.pool.attempts.values()
        stations.end(bad, Cause.BAD_FILE)
        settled(stations)
    assert len(list(stations.context.troubles)) == 1
    assert len([line for line in log if "cannot be put aside" in line]) == 1
    monkeypatch.undo()
    stations.tick(stations.config.pool.machine_wait)
    settled(stations)
    assert list(stations.context.troubles) == []
    assert len([line for line in log if "over:" in line]) == 1
    stations.context.ledger.close()


def test_an_archive_that_is_away_is_not_back_because_a_result_was_written(tmp_path, log):
    """A recording that is transcribed once more stays where it lies: its result says nothing of the archive."""
    stations = Stations(tmp_path, "archive")
    (old,) = begun(stations, "old.mp3")
    finished(stations, old)
    stations.ask("redo", 1)
    (new,) = begun(stations, "another.mp3")
    (again,) = [each for each in stations.pool.attempts.values() if each is not new]
    stations.step(again)  # it is open
    archive = stations.config.paths.archive
    archive.rename(tmp_path / "unmounted")
    archive.mkdir()
    (tmp_path / "unmounted" / "old.mp3").rename(archive / "old.mp3")  # somebody has copied back what is asked for
    finished(stations, new)
    finished(stations, again)
    states = {job.source: job.state for job in stations.context.ledger.jobs(newest=False)}
    assert states == {"old.mp3": State.DONE, "another.mp3": State.COMMITTING}, "of the first one the later job"
    assert list(stations.context.troubles) == ["archive"]
    assert stations.context.troubles.hold()
    assert not [line for line in log if "over:" in line]
    (archive / "old.mp3").unlink()
    archive.rmdir()
    (tmp_path / "unmounted").rename(archive)
    stations.tick(stations.config.pool.machine_wait)
    settled(stations)
    assert list(stations.context.troubles) == []
    assert {job.state for job in stations.context.ledger.jobs()} == {State.DONE}
    stations.context.ledger.close()


@pytest.mark.parametrize("folder", ["transcripts", "archive"])
def test_the_trouble_has_the_name_of_the_folder_that_is_away(tmp_path, folder):
    stations = Stations(tmp_path, "archive")
    (first,) = begun(stations, "first.mp3")
    finished(stations, first)
    path = stations.config.paths.root / folder
    path.rename(tmp_path / "unmounted")
    path.mkdir()
    (second,) = begun(stations, "second.mp3")
    finished(stations, second)
    assert list(stations.context.troubles) == [folder]
    stations.context.ledger.close()


def test_a_trouble_of_the_transcripts_is_over_with_the_job_that_met_it_though_a_failed_one_waits(
    tmp_path, monkeypatch, log
):
    """It stayed in the status for as long as failed/ was away, and no copy of a result was made."""
    stations = Stations(tmp_path, "archive")
    bad, good = begun(stations, "bad.mp3", "good.mp3")
    monkeypatch.setattr(outbox, "file_failure", stale)
    stations.end(bad, Cause.BAD_FILE)
    settled(stations)
    monkeypatch.setattr(outbox, "stage", stale)
    finished(stations, good)
    assert "transcripts" in stations.context.troubles
    number = int(good.spec.part_id.partition(".")[0])
    stations.ask("cancel", number)
    for _ in range(2):
        stations.tick(stations.config.pool.machine_wait)
        settled(stations)
    assert stations.context.ledger.get(number).state is State.CANCELLED
    assert "transcripts" not in stations.context.troubles
    assert [text for text in stations.context.troubles.texts() if "put aside" in text]
    stations.context.ledger.close()


def test_an_archive_whose_disk_is_full_is_named_though_a_write_has_no_name(tmp_path, monkeypatch):
    """Of what is done by a handle, as the copy to another file system, the error knows no path."""
    stations = Stations(tmp_path, "archive")
    (attempt,) = begun(stations, "first.mp3")
    monkeypatch.setattr(source, "_file_away", failing(errno.ENOSPC))
    finished(stations, attempt)
    assert list(stations.context.troubles) == ["archive"]
    (text,) = stations.context.troubles.texts()
    assert text.endswith(f"No space left on device: '{stations.config.paths.archive}'")
    stations.context.ledger.close()


def in_place_unheard(root: Path) -> Stations:
    """The files of a.mp3, job 1, are in place, and the loop has not heard of it."""
    stations = Stations(root, "archive")
    (attempt,) = begun(stations, "a.mp3")
    while attempt.spec.part_id in stations.pool.attempts:
        stations.step(attempt)
    stations.settle()  # it is staged
    stations.errands.posted[0].work()
    return stations


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EACCES, errno.EINVAL])
def test_what_a_cancelled_job_has_in_place_is_owned_by_it_until_it_could_be_taken_back(
    tmp_path, monkeypatch, log, number
):
    """An error at that moment left results, and a source in the archive, of which no job knew."""
    stations = in_place_unheard(tmp_path)
    stations.ask("cancel", 1)
    stations.tick(1.0)
    stations.crash(halfway=False)
    monkeypatch.setattr(outbox, "undo", failing(number))
    for _ in range(2):
        stations.tick(stations.config.pool.machine_wait)
        settled(stations)
    (job,) = stations.context.ledger.jobs()
    assert job.state is State.COMMITTING
    assert not stations.context.troubles.hold()
    assert len([line for line in log if "cannot be taken back" in line]) == 1
    monkeypatch.undo()
    for _ in range(2):
        stations.tick(2 * stations.config.pool.machine_wait)
        settled(stations)
    (job,) = stations.context.ledger.jobs()
    assert job.state is State.DONE, "it was too late"
    assert job.location == str(stations.config.paths.archive / "a.mp3")
    assert list(stations.context.troubles) == []
    stations.context.ledger.close()


def names_in(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir() if each.is_file() and not each.name.startswith(".sttd"))


@pytest.mark.parametrize("step", ["_archive_folder", "_file_away"])
def test_a_source_that_the_archive_alone_refuses_stays_and_its_results_are_good(tmp_path, monkeypatch, log, step):
    """They were taken away again, and the job failed for names that were accepted."""
    stations = Stations(tmp_path, "archive")
    (attempt,) = begun(stations, "a.mp3")
    monkeypatch.setattr(source, step, failing(errno.EINVAL))
    finished(stations, attempt)
    (job,) = stations.context.ledger.jobs()
    paths = stations.config.paths
    assert (job.state, job.location) == (State.DONE, None)
    assert [os.path.basename(path) for path in job.outputs] == ["a.en.txt", "a.en.json"]
    assert names_in(paths.transcripts) == ["a.en.json", "a.en.txt"]
    assert (names_in(paths.inbox), names_in(paths.failed)) == (["a.mp3"], [])
    assert [line for line in log if "its source stays in the inbox: it cannot be filed away: [Errno 22]" in line]
    stations.context.ledger.close()


@pytest.mark.parametrize("fails", ["_archive_folder", "_file_away"])
def test_a_source_that_is_in_the_archive_is_not_said_to_be_the_new_one_though_the_archive_refuses_to_be_read(
    tmp_path, monkeypatch, fails
):
    stations = in_place_unheard(tmp_path)
    stations.crash(halfway=False)
    new = stations.config.paths.inbox / "a.mp3"
    new.write_text("a new version")
    monkeypatch.setattr(source, fails, failing(errno.EINVAL))
    stations.tick(1.0)
    settled(stations)
    monkeypatch.undo()
    stations.tick(stations.config.pool.machine_wait)
    settled(stations)
    (job,) = stations.context.ledger.jobs()
    assert (job.state, job.location) == (State.DONE, str(stations.config.paths.archive / "a.mp3"))
    assert new.read_text() == "a new version"
    stations.context.ledger.close()


def test_a_name_that_is_refused_leaves_no_results_of_a_failed_job(tmp_path, monkeypatch):
    """An earlier try had put them in place: they belonged to nobody then."""
    stations = Stations(tmp_path, "archive")
    (attempt,) = begun(stations, "a.mp3")
    monkeypatch.setattr(source, "file_source", stale)
    finished(stations, attempt)
    paths = stations.config.paths
    assert names_in(paths.transcripts) == ["a.en.json", "a.en.txt"]
    monkeypatch.setattr(outbox, "keep", failing(errno.EINVAL))
    stations.tick(stations.config.pool.machine_wait)
    settled(stations)
    (job,) = stations.context.ledger.jobs()
    assert (job.state, job.outputs, job.plan) == (State.FAILED, (), None)
    assert (names_in(paths.transcripts), names_in(paths.inbox)) == ([], [])
    assert names_in(paths.failed) == ["a.mp3", "a.mp3.error.json"]
    monkeypatch.undo()
    (paths.failed / "a.mp3").rename(paths.inbox / "b.mp3")  # as the words say: "again under another name"
    for _ in range(2):
        stations.go_on()
    assert {job.source: job.state for job in stations.context.ledger.jobs()} == {
        "a.mp3": State.FAILED,
        "b.mp3": State.DONE,
    }
    stations.context.ledger.close()


def test_an_odd_error_that_never_ends_holds_its_own_job_alone(tmp_path, monkeypatch):
    """It was taken for the machine's fault: no other job started, as long as it lasted."""
    stations = in_place_unheard(tmp_path)
    stations.crash(halfway=False)
    tries: list[float] = []

    def keep(*_: object) -> None:
        tries.append(stations.now)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(outbox, "keep", keep)
    wait = stations.config.pool.machine_wait
    for _ in range(20):
        stations.tick(wait)
        settled(stations)
    assert [round((then - tries[0]) / wait) for then in tries] == [0, 1, 3, 7, 15]
    assert begun(stations, "another.mp3")
    (text,) = stations.context.troubles.texts()
    assert text.startswith("job 1: a.mp3: its results cannot be put in place: [Errno 22] Invalid argument")
    stations.context.ledger.close()


def test_an_odd_error_behind_a_kill_fails_no_job_whose_files_are_in_place(tmp_path, monkeypatch):
    """Its source is in the archive: as failed it would have results that belong to nobody."""
    stations = in_place_unheard(tmp_path)
    stations.crash(halfway=False)
    monkeypatch.setattr(outbox, "keep", failing(errno.EINVAL))
    stations.tick(1.0)
    settled(stations)
    assert [job.state for job in stations.context.ledger.jobs()] == [State.COMMITTING]
    monkeypatch.undo()
    stations.tick(stations.config.pool.machine_wait)
    settled(stations)
    (job,) = stations.context.ledger.jobs()
    assert (job.state, job.location) == (State.DONE, str(stations.config.paths.archive / "a.mp3"))
    stations.context.ledger.close()


def test_a_failed_recording_that_is_away_and_back_before_it_is_put_aside_is_that_of_its_job(tmp_path):
    """It became a new job, whose file was then moved to failed/ for the old one: "gone from the inbox", though nobody took it."""
    stations = Stations(tmp_path, "archive")
    path = stations.config.paths.inbox / "bad.mp3"
    path.write_text("bad")
    stations.look()
    stations.break_code(after=0)
    stations.tick(0.0)
    path.rename(tmp_path / "taken")
    stations.miss()
    (tmp_path / "taken").rename(path)
    for _ in range(3):
        stations.go_on()
    (job,) = stations.context.ledger.jobs()
    assert (job.state, job.location) == (State.FAILED, str(tmp_path / "failed" / "bad.mp3"))
    stations.context.ledger.close()
