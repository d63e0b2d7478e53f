"""Disks of 8 MB that fill up while the daemon works, and are emptied again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.harness import PATIENCE
from tests.machine import needs_mounts

HEAD = """
import pathlib, signal, subprocess, sys
sys.path.insert(0, {here!r})
from sttd.job import State
from tests import speech
from tests.harness import PATIENCE, Daemon, wait_for

root = pathlib.Path({root!r})
daemon = Daemon(root, {{"pool.machine_wait": "1s", "transcribe.batch_size": "1"}})
FULL = ("No space left", "disk is full", "disk I/O error")
for folder in (daemon.state, daemon.transcripts):
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], check=True)

def fill(folder):
    with open(folder / "filler", "wb", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass

def empty(folder):
    (folder / "filler").unlink()

def complaints(start):
    return [line for line in daemon.log[start:] if any(level in line for level in (" WARNING ", " ERROR ", " CRITICAL "))]
"""
STATE = """
long = speech.compose(seconds=60, language="en", seed=4)
speech.encode(daemon.inbox / "long.flac", long.audio)
daemon.start()
wait_for(daemon.checkpoint, "a chunk is checkpointed")
pid = daemon.process.pid
fill(daemon.state)
speech.encode(root / "b.flac", speech.sample("english")).rename(daemon.inbox / "b.flac")
wait_for(lambda: complaints(0), "it is said that the disk is full")
refused = daemon.sttd("pause")
# the daemon takes requests whenever the ledger can hold them: pausing is no part of this
assert "Traceback" not in refused.stderr, refused.stderr
said = complaints(0)
assert all(any(word in line for word in FULL) for line in said), said
empty(daemon.state)
if refused.returncode == 0:
    wait_for(lambda: daemon.sttd("resume").returncode == 0, "the ledger takes requests again")
for number in (1, 2):
    job = daemon.wait_state(State.DONE, number)
    assert not job.attempts, job
assert daemon.process.poll() is None and daemon.process.pid == pid
wait_for(lambda: not daemon.json("status")["trouble"], "nothing is wrong any more")
texts = [line.split("- ", 1)[-1] for line in complaints(0)]
assert len(set(texts)) == len(texts) <= 4, texts
assert daemon.stop() == 0
undisturbed = Daemon(root / "again", {{"transcribe.batch_size": "1"}})
speech.encode(undisturbed.inbox / "long.flac", long.audio)
assert undisturbed.drain() == 0
assert daemon.text("long.flac", "en") == undisturbed.text("long.flac", "en")
print("as it should be")
"""
TRANSCRIPTS = """
daemon.start()
daemon.wait_log("watches")
fill(daemon.transcripts)
speech.encode(root / "a.flac", speech.sample("english")).rename(daemon.inbox / "a.flac")
daemon.wait_log("results cannot be written")
trouble = wait_for(lambda: daemon.json("status")["trouble"], "the status says so")
assert "No space left" in trouble[0], trouble
empty(daemon.transcripts)
job = daemon.wait_state(State.DONE)
assert not job.attempts, job
assert speech.says(daemon.text("a.flac", "en"), "english")
wait_for(lambda: not daemon.json("status")["trouble"], "nothing is wrong any more")
assert len(complaints(0)) == 1, complaints(0)
assert sorted(path.name for path in daemon.transcripts.iterdir() if path.name.endswith(".json")) == ["a.en.json"]
assert daemon.stop() == 0
print("as it should be")
"""
STOPPED = """
daemon.start()
daemon.wait_log("watches")
daemon.sttd("pause")
fill(daemon.state)
for number in range(3000):
    (daemon.inbox / f"{{number}}.mp3").write_bytes(b"x")
daemon.wait_log("nothing starts until that is over")
assert "is full" in daemon.json("status")["trouble"][-1]
code = daemon.stop()
assert code == 1, code
assert not [line for line in daemon.log if "Traceback" in line]
refused = daemon.sttd("run")
assert refused.returncode == 1 and "Traceback" not in refused.stderr, refused.stderr
assert any(word in refused.stderr for word in FULL), refused.stderr
empty(daemon.state)
daemon.start()
wait_for(lambda: daemon.json("status")["jobs"]["queued"] == 3000, "all files are jobs")
assert daemon.stop() == 0
print("as it should be")
"""
READ_ONLY = """
for folder in (daemon.state, daemon.transcripts):
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    refused = daemon.sttd("run")
    assert refused.returncode == 6, refused
    assert "is not writable: mount it writable" in refused.stderr and folder.name in refused.stderr, refused.stderr
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
print("as it should be")
"""
LIBRARY = """
disks = {{name: root / name for name in ("one", "two")}}
tables = ["[[watch]]"]
for name, folder in disks.items():
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], check=True)
    tables += ["[[watch]]", f'name = "{{name}}"', f'inbox = "{{folder}}"', 'place = "beside"', 'formats = ["srt"]']
(root / "sttd.toml").write_text(chr(10).join(tables))
daemon.flags = ("--config", str(root / "sttd.toml"))

def drop(disk, *clips):
    for clip in clips:
        speech.encode(root / "new.flac", speech.sample(clip))
        subprocess.run(["mv", str(root / "new.flac"), str(disks[disk] / f"{{clip}}.flac")], check=True)

def states(disk):
    return {{job.source: job.state for job in daemon.jobs() if job.source.startswith(f"{{disk}}//")}}

def all_done(disk, number):
    return list(states(disk).values()) == [State.DONE] * number

def troubles():
    return daemon.json("status")["trouble"]

daemon.start()
daemon.wait_log("watches")
daemon.sttd("pause")
drop("one", "clip01", "clip02", "clip04", "clip06")
wait_for(lambda: len(states("one")) == 4, "they are queued")
drop("two", "clip01", "english")
fill(disks["one"])
daemon.sttd("resume")
wait_for(lambda: all_done("two", 2), "what goes to the other disk is done")
(said,) = wait_for(troubles, "the status names the disk")
assert f"the disk of {{disks['one']}}" in said and "No space left" in said, said
assert len([job for job in daemon.jobs() if job.source.startswith("one//") and job.attempt]) <= 2
queued = lambda: [job for job in daemon.jobs() if job.state is State.QUEUED]
wait_for(lambda: all("its results go to a disk that takes none" in (job.error or "") for job in queued()), "each says why")
daemon.stop(signal.SIGKILL)
start = len(daemon.log)
daemon.start()
drop("two", "clip02")
wait_for(lambda: all_done("two", 3), "what goes to the other disk is done after a kill")
wait_for(troubles, "the status names the disk again")
assert len(complaints(0)) == 2 and len(complaints(start)) == 1, complaints(0)
assert daemon.stop() == 0
start = len(daemon.log)
assert daemon.drain() == 1
assert "4 jobs wait for what is wrong with this machine" in str(daemon.log[start:]), daemon.log[start:]
empty(disks["one"])
daemon.start()
wait_for(lambda: all_done("one", 4), "there is room again")
wait_for(lambda: not troubles(), "nothing is wrong any more")
assert daemon.stop() == 0
assert sorted(path.name for path in disks["one"].glob("*.srt")) == [f"clip{{n}}.en.srt" for n in ("01", "02", "04", "06")]
assert not any(job.attempts for job in daemon.jobs())
print("as it should be")
"""
BODIES = {"library": LIBRARY, "state": STATE, "transcripts": TRANSCRIPTS, "stopped": STOPPED}


def in_namespace(body, root):
    """Run `body` with mounts of its own."""
    script = (HEAD + body).format(here=os.getcwd(), root=str(root))
    return subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", script],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


@needs_mounts
@pytest.mark.parametrize(
    "which", ["transcripts", *(pytest.param(which, marks=pytest.mark.ci) for which in ("state", "library", "stopped"))]
)
def test_a_disk_that_fills_up_holds_work_up_and_costs_nothing(tmp_path, which):
    """It is said once, no attempt is spent, and everything goes on by itself; a stop, and a start, are still obeyed."""
    done = in_namespace(BODIES[which], tmp_path)
    assert "as it should be" in done.stdout, done.stdout + done.stderr


@needs_mounts
def test_a_folder_that_cannot_be_written_at_the_start_is_refused_with_the_remedy(tmp_path):
    done = in_namespace(READ_ONLY, tmp_path)
    assert "as it should be" in done.stdout, done.stdout + done.stderr
