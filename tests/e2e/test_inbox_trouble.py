"""Inboxes that go away, names that come again, sources that change at the worst time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from sttd.job import State
from tests import speech
from tests.harness import PATIENCE, wait_for
from tests.machine import needs_mounts

SLOW = {"transcribe.batch_size": "1"}


@pytest.mark.ci
def test_the_same_name_three_days_running(make_daemon):
    """Three recordings of one name: three results and three archived sources, none overwritten."""
    daemon = make_daemon().start()
    for number, clip in enumerate(("clip01", "clip06", "clip04"), 1):
        speech.encode(daemon.root / "new.flac", speech.sample(clip)).rename(daemon.inbox / "recording.flac")
        daemon.wait_state(State.DONE, number)
    assert daemon.stop() == 0
    for stem, clip in (("recording", "clip01"), ("recording (2)", "clip06"), ("recording (3)", "clip04")):
        assert speech.says((daemon.transcripts / f"{stem}.en.txt").read_text(encoding="utf-8"), clip)
        assert (daemon.archive / f"{stem}.flac").is_file()


@pytest.mark.ci
def test_names_taken_by_a_persons_own_files_are_left_alone(make_daemon):
    """A person's own transcript and archive files stay as they are; the results get another name."""
    daemon = make_daemon()
    daemon.transcripts.mkdir()
    daemon.archive.mkdir()
    (daemon.transcripts / "english.en.srt").write_text("mine")
    (daemon.archive / "english.flac").write_text("mine too")
    speech.encode(daemon.inbox / "english.flac", speech.sample("english"))
    assert daemon.drain() == 0
    assert (daemon.transcripts / "english.en.srt").read_text() == "mine"
    assert (daemon.archive / "english.flac").read_text() == "mine too"
    assert sorted(path.name for path in daemon.transcripts.glob("[!.]*") if path.is_file()) == sorted(
        ["english.en.srt", *(f"english (2).en.{suffix}" for suffix in ("txt", "srt", "vtt", "json", "tsv"))]
    )
    assert (daemon.archive / "english (2).flac").is_file()


@pytest.mark.ci
def test_a_source_that_changes_in_mid_job_starts_again_as_it_is_now(make_daemon):
    daemon = make_daemon(SLOW)
    long = speech.compose(seconds=90, language="en", seed=21)
    speech.encode(daemon.inbox / "talk.flac", long.audio)
    speech.encode(daemon.root / "new.flac", speech.sample("english"))
    daemon.start()
    wait_for(daemon.checkpoint, "a chunk is checkpointed")
    with daemon.held():
        os.replace(daemon.root / "new.flac", daemon.inbox / "talk.flac")
    daemon.wait_state(State.DONE)
    assert speech.says(daemon.text("talk.flac", "en"), "english")
    assert daemon.stop() == 0
    assert daemon.drain() == 0
    done = [job for job in daemon.jobs() if job.state is State.DONE]
    assert len(done) == len(daemon.jobs())
    assert len(list(daemon.archive.glob("[!.]*"))) == len(done)


def test_a_source_that_is_gone_vanishes_and_comes_back_as_a_job(make_daemon):
    """Two looks make sure; what comes back is queued again."""
    daemon = make_daemon({"watch.rescan_interval": "1s"})
    path = speech.encode(daemon.inbox / "english.flac", speech.sample("english"))
    daemon.state.mkdir()
    daemon.start()
    daemon.wait_state(State.DONE)
    daemon.sttd("pause")
    speech.encode(path, speech.sample("clip01"))
    daemon.wait_state(State.QUEUED, 2)
    path.rename(daemon.root / "elsewhere.flac")
    daemon.wait_state(State.VANISHED, 2)
    (daemon.root / "elsewhere.flac").rename(path)
    wait_for(lambda: [job for job in daemon.jobs() if job.state is State.QUEUED], "it is a job again")
    daemon.sttd("resume")
    wait_for(lambda: all(job.state in (State.DONE, State.VANISHED) for job in daemon.jobs()), "all are done")
    assert sum(job.state is State.DONE for job in daemon.jobs()) == 2
    assert daemon.stop() == 0


def test_equal_content_is_transcribed_once_and_copied(make_daemon):
    """Four names of one recording: four results, one transcription."""
    daemon = make_daemon({"pool.workers": "2"})
    first = speech.encode(daemon.inbox / "a.flac", speech.sample("english"))
    for name in ("b", "c", "d"):
        shutil.copy(first, daemon.inbox / f"{name}.flac")
    assert daemon.drain() == 0
    for name in ("a", "b", "c", "d"):
        assert speech.says(daemon.text(f"{name}.flac", "en"), "english")
        assert daemon.result(f"{name}.flac", "en")["source"]["name"] == f"{name}.flac"
        assert (daemon.archive / f"{name}.flac").is_file()
    assert sum(job.attempt for job in daemon.jobs()) == 1
    known = {(job.audio_seconds, job.chunks, job.language, job.model, job.requested_model) for job in daemon.jobs()}
    assert len(known) == 1, "the ledger knows the same of copies"


MOUNTED = """
import pathlib, shutil, subprocess, sys
sys.path.insert(0, {here!r})
from sttd.job import State
from tests import speech
from tests.harness import Daemon, wait_for

root = pathlib.Path({root!r})
disk = root / "disk"
disk.mkdir()
daemon = Daemon(root, {{"watch.rescan_interval": "1s", "transcribe.batch_size": "1"}})
mount = ["mount", "--bind", str(disk), str(daemon.inbox)]
subprocess.run(mount, check=True)
speech.encode(daemon.inbox / "a.flac", speech.sample("english"))
daemon.start()
daemon.wait_state(State.DONE, 1)
daemon.sttd("pause")
speech.encode(daemon.inbox / "b.flac", speech.sample("clip01"))
daemon.wait_state(State.QUEUED, 2)
subprocess.run(["umount", "-l", str(daemon.inbox)], check=True)
wait_for(lambda: daemon.json("status")["inbox"]["away"], "the status says that the inbox is away")
lines = len(daemon.log)
wait_for(lambda: daemon.process.poll() is None and daemon.job(2).state is State.QUEUED, "the job waits")
daemon.sttd("resume")
subprocess.run(mount, check=True)
job = daemon.wait_state(State.DONE, 2)
assert not job.attempts, job
assert speech.says(daemon.text("b.flac", "en"), "clip01")
wait_for(lambda: daemon.json("status")["inbox"]["away"] is None, "the status says that the inbox is back")
speech.encode(daemon.inbox / "c.flac", speech.sample("clip02"))
daemon.wait_state(State.DONE, 3)
assert daemon.stop() == 0
assert not [job for job in daemon.jobs() if job.state is not State.DONE]
print("mounted again")
"""


@pytest.mark.ci
@needs_mounts
def test_an_inbox_unmounted_and_mounted_again_changes_nothing(tmp_path):
    """Jobs wait while it is away, and that is said; afterwards they run, and new files are seen."""
    here = os.getcwd()
    script = MOUNTED.format(here=here, root=str(tmp_path))
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", script],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert "mounted again" in done.stdout, done.stdout + done.stderr
