"""A library on another disk than the transcripts: whose trouble an error is that its results meet."""

from __future__ import annotations

import errno
import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sttd import outbox
from sttd.fs import copies
from sttd.fs.blame import Blame, blame
from sttd.job import State
from sttd.outbox.formats import FORMATS
from sttd.outbox.publish import STAGING
from tests.machine import needs_mounts
from tests.outbox.test_beside import library
from tests.outbox.test_outbox import files_in, keep, other_disk, stage

__all__ = ["other_disk"]


def failing(number: int):
    return lambda *_, **__: (_ for _ in ()).throw(OSError(number, os.strerror(number)))


@pytest.fixture
def apart(tmp_path, other_disk):
    """A configuration whose inbox is on another disk, a job, and its source."""
    return library(tmp_path, other_disk / "library")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_takes_nothing_is_named_and_nothing_is_lost(apart, monkeypatch, error):
    config, job, source = apart
    plan = stage(config, job)
    with monkeypatch.context() as patch, pytest.raises(outbox.DiskTrouble, match="the disk of ") as caught:
        patch.setattr(copies, "_copy_data", failing(error))
        keep(config, plan)
    assert caught.value.where.device == f"{os.major(source.stat().st_dev)}:{os.minor(source.stat().st_dev)}"
    assert caught.value.where.holds("", job.source)
    assert files_in(Path(config.paths.inbox)) == [job.source]
    keep(config, plan)
    assert files_in(Path(config.paths.inbox)) == sorted([job.source, *(f"sub/talk.en.{each}" for each in FORMATS)])


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("call", ["sttd.outbox.disks._read", "sttd.fs.moves.write_whole"], ids=["read", "written"])
def test_where_the_staged_results_cannot_be_read_or_written_it_is_the_disk_of_these(apart, monkeypatch, error, call):
    config, job, _ = apart
    plan = stage(config, job)
    monkeypatch.setattr(copies, "_copy_data", failing(error))
    monkeypatch.setattr(call, failing(error))
    with pytest.raises(OSError, match="Errno") as caught:
        keep(config, plan)
    assert blame(caught.value) is Blame.MACHINE


def test_on_the_disk_of_the_transcripts_it_is_everybodys(tmp_path, monkeypatch):
    config, job, _ = library(tmp_path)
    plan = stage(config, job)
    monkeypatch.setattr("sttd.fs.moves.rename_new", failing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space") as caught:
        keep(config, plan)
    assert blame(caught.value) is Blame.MACHINE


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENOMEM])
def test_what_the_process_lacks_is_no_trouble_of_a_disk(apart, monkeypatch, error):
    config, job, _ = apart
    plan = stage(config, job)
    monkeypatch.setattr(copies, "_copy_data", failing(error))
    with pytest.raises(OSError, match="Errno"):
        keep(config, plan)


@pytest.mark.parametrize("works", [True, False])
def test_a_recording_that_cannot_be_read_is_its_own_trouble_where_its_disk_works(apart, monkeypatch, works):
    """The disk is really asked; where it takes no file, nothing of the question is left."""
    config, job, _ = apart
    monkeypatch.setattr(sys.modules["sttd.outbox.stage"], "digest_of", failing(errno.EIO))
    real = os.open
    if not works:
        refuse = failing(errno.EIO)
        monkeypatch.setattr(os, "open", lambda path, flags, *rest, **more: (
            refuse() if flags & os.O_TMPFILE == os.O_TMPFILE else real(path, flags, *rest, **more)
        ))  # fmt: skip
    with pytest.raises(outbox.FileTrouble if works else outbox.DiskTrouble, match="Input/output error"):
        stage(config, job)
    assert files_in(Path(config.paths.inbox)) == [job.source]


def test_a_job_is_cancelled_whose_disk_is_full(apart, monkeypatch):
    config, job, _ = apart
    plan = stage(config, job)
    monkeypatch.setattr(copies, "_copy_data", failing(errno.ENOSPC))
    with pytest.raises(outbox.DiskTrouble):
        keep(config, plan)
    places = outbox.Places(config.paths)
    assert outbox.undo(job.evolve(state=State.COMMITTING, plan=plan.to_json()), config, places)
    assert files_in(Path(config.paths.transcripts, STAGING)) == []


def test_results_that_follow_a_recording_meet_a_full_disk(apart, monkeypatch):
    config, job, source = apart
    plan = stage(config, job)
    written = {path: plan.hashes[path.rpartition(".")[2]] for path in keep(config, plan).outputs}
    renamed = source.rename(source.with_name("new.mp3"))
    monkeypatch.setattr("sttd.fs.moves.rename_new", failing(errno.ENOSPC))
    follow = functools.partial(outbox.follow, job.evolve(source="sub/new.mp3"), job.source, written)
    with pytest.raises(outbox.DiskTrouble, match="No space"):
        follow(outbox.Places(config.paths))
    monkeypatch.undo()
    assert len(follow(outbox.Places(config.paths)).outputs) == len(FORMATS)
    assert renamed.exists()


REAL = """
import pathlib, shutil, subprocess, sys
sys.path.insert(0, {here!r})
from sttd import outbox
from tests.outbox.test_beside import keep, library, stage
disk = pathlib.Path({root!r}, "disk")
disk.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], check=True)
config, job, source = library(pathlib.Path({root!r}), disk / "library")
plan = stage(config, job)
if {how!r} == "full":
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
else:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
try:
    keep(config, plan)
except outbox.DiskTrouble as error:
    print(error)
if {how!r} == "full":
    (disk / "filler").unlink()
else:
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
print(len(keep(config, plan).outputs))
"""


@needs_mounts
@pytest.mark.parametrize(
    ("how", "words"), [("full", "No space left on device"), ("read-only", "Read-only file system")]
)
def test_a_real_disk_that_is_full_or_read_only(tmp_path, how, words):
    script = REAL.format(here=os.getcwd(), root=str(tmp_path), how=how)
    apart = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", script]
    done = subprocess.run(apart, capture_output=True, text=True, check=False)
    said, outputs = done.stdout.splitlines() if done.stdout.count("\n") == 2 else (done.stdout, done.stderr)
    assert said.startswith(f"the disk of {tmp_path}/disk/library: "), done.stdout + done.stderr
    assert words in said
    assert outputs == str(len(FORMATS))
