"""Histories that the model found, one by one: what was passed over, made twice, or waited for ever, does so no more."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from sttd.config import Output
from sttd.daemon import requests
from sttd.job import Overrides, State
from sttd.part import Cause
from tests.properties import words
from tests.properties.stations import CHUNKS, Stations


@pytest.fixture
def stations():
    with words.folder() as folder:
        stations = Stations(Path(folder), "archive")
        yield stations
        stations.context.ledger.close()


def write(stations: Stations, version: int, name: str = "a.mp3") -> Path:
    path = stations.inbox.root / name
    path.write_text(f"version {version}")
    os.utime(path, ns=(version, version))
    return path


def states(stations: Stations) -> list[tuple[int, State]]:
    """Version and state of each job, the oldest first."""
    return [(job.mtime_ns, job.state) for job in stations.context.ledger.jobs(newest=False)]


def begin(stations: Stations, steps: int = 1) -> None:
    """What is in the inbox is told, and the worker that gets it goes some steps."""
    stations.look()
    stations.tick(1.0)
    (attempt,) = stations.pool.attempts.values()
    for _ in range(steps):
        stations.step(attempt)


def drain(stations: Stations) -> None:
    for _ in range(6):
        stations.go_on()


def test_a_job_whose_file_went_while_a_worker_had_it_vanishes(stations):
    """The inbox tells so once, while the job runs; the next attempt finds nothing, and the inbox is asked again."""
    path = write(stations, 1)
    begin(stations)
    path.unlink()
    stations.miss()
    stations.end(next(iter(stations.pool.attempts.values())), Cause.SLICE)
    drain(stations)
    assert states(stations) == [(1, State.VANISHED)]


def test_a_file_that_comes_while_its_predecessor_is_filed_away_is_a_job(stations):
    """It is told once, while the name still belongs to the other one."""
    write(stations, 1)
    begin(stations, CHUNKS + 2)
    stations.settle()  # staged and promised
    stations.inbox.forget("a.mp3")
    write(stations, 2)
    stations.look()
    assert states(stations) == [(1, State.COMMITTING)]
    drain(stations)
    assert states(stations) == [(1, State.DONE), (2, State.DONE)]


def test_a_file_that_comes_while_its_predecessor_is_tried_again_from_failed_is_a_job_at_once(stations):
    """The retried one is about the file in failed/, and takes nothing from the one in the inbox."""
    write(stations, 1)
    begin(stations)
    stations.end(next(iter(stations.pool.attempts.values())), Cause.BAD_FILE)
    drain(stations)
    assert states(stations) == [(1, State.FAILED)]
    stations.ask("retry", 1)
    stations.tick(1.0)
    write(stations, 2)
    stations.look()
    assert states(stations) == [(1, State.RUNNING), (2, State.QUEUED)]
    drain(stations)
    assert states(stations) == [(1, State.DONE), (2, State.DONE)]


def test_a_failed_file_that_cannot_be_put_aside_is_not_queued_anew(stations):
    """The inbox sees it as long as failed/ is full; it is the same failure, told as such."""
    write(stations, 1)
    begin(stations)
    stations.end(next(iter(stations.pool.attempts.values())), Cause.BAD_FILE)
    stations.look()
    assert states(stations) == [(1, State.FAILED)]


def test_a_new_version_that_came_before_a_running_job_was_cancelled_is_a_job(stations):
    """Cancelled is the old version; the new one was told while the old one still ran."""
    write(stations, 1)
    begin(stations)
    stations.ask("cancel", 1)
    stations.tick(0.0)
    write(stations, 2)
    stations.look()
    drain(stations)
    assert states(stations) == [(1, State.CANCELLED), (2, State.DONE)]


def test_an_old_version_is_not_tried_again_in_place_of_the_file_that_has_its_name(stations):
    """The retry of a vanished job would transcribe the new file a second time."""
    write(stations, 1).unlink()
    write(stations, 1)
    stations.look()
    (stations.inbox.root / "a.mp3").unlink()
    stations.miss()
    write(stations, 2)
    stations.look()
    stations.ask("retry", 1)
    stations.tick(0.0)
    drain(stations)
    assert states(stations) == [(1, State.VANISHED), (2, State.DONE)]


def test_a_twin_of_a_file_that_is_gone_is_transcribed_itself(stations):
    """It waited for the result of a file with the same content; when that vanishes, nothing is left to wait for."""
    path = write(stations, 1)
    begin(stations)
    write(stations, 1, "b.mp3")
    stations.look()
    for _ in range(3):
        stations.tick(0.0)
        while stations.errands.posted:
            stations.settle()
    assert stations.context.ledger.get(2).copy_of == 1
    path.unlink()
    drain(stations)
    assert [(job.source, job.state) for job in stations.context.ledger.jobs(newest=False)] == [
        ("a.mp3", State.VANISHED),
        ("b.mp3", State.DONE),
    ]


@pytest.mark.parametrize("then", ["archive", "delete"])
def test_a_source_that_was_kept_is_known_whatever_is_configured_later(then):
    """Done, not moved, the same file: no second result. A new version of it is a job."""
    with words.folder() as folder:
        stations = Stations(Path(folder), "keep")
        write(stations, 1)
        drain(stations)
        stations.config = dataclasses.replace(stations.config, output=Output(formats=("txt",), source=then))
        stations.crash(halfway=False)
        drain(stations)
        assert states(stations) == [(1, State.DONE)]
        assert len(list((Path(folder) / "transcripts").rglob("*.txt"))) == 1
        write(stations, 2)
        drain(stations)
        assert states(stations) == [(1, State.DONE), (2, State.DONE)]
        stations.context.ledger.close()


@pytest.mark.parametrize("times", [shutil.copy2, shutil.copyfile], ids=["cp -a", "cp -r"])
def test_retry_and_redo_find_their_sources_below_the_folders_of_a_copied_root(times):
    """The ledger has the old paths. The copy takes nothing out of the root that it was made from, which is still there."""
    with words.folder() as old, words.folder() as new:
        stations = Stations(Path(old), "archive")
        write(stations, 1, "good.mp3")
        drain(stations)
        write(stations, 22, "bad.mp3")
        begin(stations)
        stations.end(next(iter(stations.pool.attempts.values())), Cause.BAD_FILE)
        drain(stations)
        stations.context.ledger.close()
        shutil.copytree(old, new, dirs_exist_ok=True, copy_function=times)
        before = sorted(Path(old).rglob("*.mp3"))
        stations = Stations(Path(new), "archive")
        done, failed = (stations.context.ledger.get(number) for number in (1, 2))
        requests.redo(stations.context, done, Overrides(language="th"))
        requests.retry(stations.context, failed)
        drain(stations)
        assert [job.state for job in stations.context.ledger.jobs()] == [State.DONE] * 3
        assert sorted(path.name for path in (Path(new) / "archive").glob("*.mp3")) == ["bad.mp3", "good.mp3"]
        assert not list((Path(new) / "failed").glob("*.mp3"))
        assert sorted(Path(old).rglob("*.mp3")) == before
        assert stations.context.ledger.get(1).location == done.location
        assert stations.context.ledger.get(3).location == str(Path(new) / "archive" / "good.mp3"), (
            "its own, if the old one goes"
        )
        stations.context.ledger.close()
