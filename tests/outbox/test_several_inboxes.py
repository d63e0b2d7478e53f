"""Recordings of a further inbox: their results, archives and failures have its name, and their files are found in it."""

from __future__ import annotations

import dataclasses
import os
import shutil

import pytest

from sttd import outbox
from sttd.errors import SttdError
from sttd.job import Job, State
from sttd.part import Cause
from tests.outbox.test_outbox import SAID, files_in, make

NAME = "movies//sub/talk.mp3"


@pytest.fixture
def library(tmp_path):
    """The configuration of an inbox "movies", the folders, a job of it and its source; and a namesake in the first inbox."""
    config, first, _ = make(tmp_path, rel="movies-talk.mp3")
    media = tmp_path / "media"
    (media / "sub").mkdir(parents=True)
    (media / ".sttd.lock").touch()
    (tmp_path / "inbox" / "movies" / "sub").mkdir(parents=True)
    source = media / "sub" / "talk.mp3"
    for path in (source, tmp_path / "inbox" / "movies" / "sub" / "talk.mp3"):
        path.write_bytes(b"sound" * 1000)
    job = dataclasses.replace(first, source=NAME, mtime_ns=source.stat().st_mtime_ns)
    places = outbox.Places(config.paths, inboxes={"": config.paths.inbox, "movies": media})
    inner = dataclasses.replace(config, paths=dataclasses.replace(config.paths, inbox=media))
    return inner, places, job, source


def commit(config, places, job):
    plan = outbox.stage(job, outbox.Meta.of(job, finished_at=1.0), lambda: iter(SAID), config, places)
    return outbox.keep(outbox.Plan.from_json(plan.to_json()), places)


def test_results_and_source_are_filed_below_its_name(library, tmp_path):
    """A folder of that name in the first inbox has the same place; nothing is overwritten there."""
    config, places, job, source = library
    filed = commit(config, places, job)
    assert filed.location == str(tmp_path / "archive" / "movies" / "sub" / "talk.mp3")
    assert not source.exists()
    assert (tmp_path / "inbox" / "movies" / "sub" / "talk.mp3").exists()
    assert {os.path.dirname(path) for path in filed.outputs} == {str(tmp_path / "transcripts" / "movies" / "sub")}
    other = dataclasses.replace(config, paths=dataclasses.replace(config.paths, inbox=tmp_path / "inbox"))
    seen = (tmp_path / "inbox" / "movies" / "sub" / "talk.mp3").stat()
    again = commit(
        other, places, dataclasses.replace(job, id=2, source="movies/sub/talk.mp3", mtime_ns=seen.st_mtime_ns)
    )
    assert again.location == str(tmp_path / "archive" / "movies" / "sub" / "talk (2).mp3")
    assert not set(filed.outputs) & set(again.outputs)


def test_beside_is_in_its_own_inbox(library, tmp_path):
    config, places, job, source = library
    config = dataclasses.replace(config, output=dataclasses.replace(config.output, place="beside"))
    filed = commit(config, places, job)
    assert filed.location is None
    assert {os.path.dirname(path) for path in filed.outputs} == {str(source.parent)}
    assert files_in(tmp_path / "transcripts") == []


def test_a_failure_goes_to_failed_below_its_name(library, tmp_path):
    config, places, job, source = library
    put = outbox.file_failure(job.evolve(error="no audio", cause=Cause.BAD_FILE), config, places)
    assert put.location == str(tmp_path / "failed" / "movies" / "sub" / "talk.mp3")
    assert files_in(tmp_path / "failed") == ["movies/sub/talk.mp3", "movies/sub/talk.mp3.error.json"]
    assert not source.exists()


def test_what_is_missing_in_an_inbox_that_is_away_is_not_gone(library):
    """The lock of the first inbox says nothing about another one."""
    config, places, job, source = library
    plan = outbox.stage(job, outbox.Meta.of(job, finished_at=1.0), lambda: iter(SAID), config, places)
    source.unlink()
    (source.parents[1] / ".sttd.lock").unlink()
    with pytest.raises(FileNotFoundError, match="the inbox is away"):
        outbox.keep(plan, places)


def test_nothing_is_gone_from_an_inbox_that_is_away(library):
    _, places, job, source = library
    assert not places.is_gone(job.source)
    source.unlink()
    assert places.is_gone(job.source)
    shutil.rmtree(source.parents[1])
    assert not places.is_gone(job.source)


def test_a_stranded_source_gets_its_name_back_where_it_is(library):
    _, places, _, source = library
    stranded = source.rename(source.with_name(f".sttd-9-{'0' * 16}.filing.talk.mp3"))
    assert outbox.put_back(f"movies//sub/{stranded.name}", places) == str(source)


@pytest.mark.parametrize("name", ["movies//../talk.mp3", "movies///etc/passwd", "a//b//c", "//talk.mp3/.."])
def test_a_forged_name_leads_nowhere(library, name):
    config, places, job, _ = library
    plan = outbox.stage(job, outbox.Meta.of(job, finished_at=1.0), lambda: iter(SAID), config, places)
    with pytest.raises(SttdError, match="names folders that are not"):
        outbox.Plan.from_json(plan.to_json() | {"name": name})
    with pytest.raises(OSError):
        outbox.open_source(Job(1, name, 1, 1, state=State.QUEUED), places)
