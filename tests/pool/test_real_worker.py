"""The pool with the real worker and the demo model: real speech through real processes."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sttd.part import ENDS, Cause, Chunks, Done, Failed, ModelSpec, Options, PartSpec, Place, Started
from sttd.pool.local.child import WORKER
from tests import speech
from tests.harness import PATIENCE


def spec_of(path: Path, part_id: str, **changes) -> PartSpec:
    seen = path.stat()
    # one temperature: those above 0 are random, and texts are compared word by word here
    options = Options(batch_size=1, beam_size=1, temperatures=(0.0,))
    spec = PartSpec(part_id, 1, str(path), seen.st_size, seen.st_mtime_ns, ModelSpec("demo"), options)
    return dataclasses.replace(spec, **changes)


def chunks(told, part_id):
    return [chunk for event in told.of(part_id, Chunks) for chunk in event.chunks]


def words(found) -> str:
    return " ".join(segment.text for chunk in found for segment in chunk.segments).strip()


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("speech") / "long.flac"
    speech.encode(path, speech.compose(seconds=100, language="en", seed=5).audio)
    return path


def test_speech_comes_out_as_text_from_one_warm_worker(rig):
    told = rig(worker=WORKER)
    for name, language in (("english", "en"), ("thai", "th")):
        part_id = f"{name}.0"
        told.pool.submit(spec_of(speech.SAMPLES / f"{name}.flac", part_id))
        assert isinstance(told.end(part_id), Done)
        assert {chunk.language for chunk in chunks(told, part_id)} <= {language, "und"}
        assert speech.error_rate(list(speech.words(name)), words(chunks(told, part_id)), language) < 0.3
    first, second = told.of("english.0", Started) + told.of("thai.0", Started)
    assert first.pid == second.pid
    assert first.load_seconds > second.load_seconds == 0


@pytest.mark.ci
def test_slices_a_kill_and_a_death_give_the_text_of_an_undisturbed_run(rig, recording):
    told = rig(worker=WORKER)
    told.pool.submit(spec_of(recording, "whole.0"))
    assert isinstance(told.end("whole.0"), Done)
    whole = chunks(told, "whole.0")
    assert len(whole) >= 3

    attempt, position, index, ends = 0, 0, 0, []
    while not ends or not isinstance(ends[-1], Done) or ends[-1].resume_at is not None:
        attempt += 1
        spec = spec_of(recording, "slices.0", attempt=attempt, budget=0.0 if attempt < 4 else float("inf"))
        told.pool.submit(dataclasses.replace(spec, places={0: Place(position, "en")}, next_index=index))
        if attempt in (2, 3):
            pid = told.seen("slices.0", Started, attempt).pid
            if attempt == 2:
                os.kill(pid, signal.SIGSTOP)
                told.pool.kill("slices.0", attempt, Cause.TIMEOUT)
            else:
                os.kill(pid, signal.SIGKILL)
        ends.append(told.seen("slices.0", ENDS, attempt))
        done = chunks(told, "slices.0")
        position, index = (done[-1].end, done[-1].index + 1) if done else (0, 0)
    assert [end.cause for end in ends[:3]] == [Cause.SLICE, Cause.TIMEOUT, Cause.CRASH]
    sliced = chunks(told, "slices.0")
    assert [(chunk.index, chunk.start, chunk.end) for chunk in sliced] == [
        (chunk.index, chunk.start, chunk.end) for chunk in whole
    ]
    assert words(sliced) == words(whole)


@pytest.mark.ci
def test_a_load_that_hangs_lets_its_worker_do_the_job_and_be_replaced(rig, tmp_path):
    """The fallback is used, and the stuck thread keeps the process from nothing: it exits at once."""
    hanging = tmp_path / "hanging"
    hanging.mkdir()
    for each in (speech.SAMPLES.parent / "model").iterdir():
        if each.name != "model.bin":
            (hanging / each.name).write_bytes(each.read_bytes())
    os.mkfifo(hanging / "model.bin")
    told = rig(worker=WORKER)
    model = ModelSpec(str(hanging), fallback="demo", load_timeout=10.0)  # the fallback has as long
    told.pool.submit(spec_of(speech.SAMPLES / "english.flac", "1.0", model=model))
    assert isinstance(told.end("1.0"), Done)
    (started,) = told.of("1.0", Started)
    assert (started.model, started.stuck) == ("demo", True)
    told.wait(lambda: not told.pool.workers())


def test_without_a_model_the_job_waits_for_the_machine(rig, tmp_path):
    told = rig(worker=WORKER)
    told.pool.submit(spec_of(speech.SAMPLES / "english.flac", "1.0", model=ModelSpec(str(tmp_path / "nowhere"))))
    end = told.end("1.0")
    assert (type(end), end.cause) == (Failed, Cause.NO_MODEL)
    assert "nowhere" in end.error


def test_a_hostile_file_fails_and_its_worker_serves_on(rig, tmp_path):
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(b"ffconcat version 1.0\nfile /etc/passwd\n")
    told = rig(worker=WORKER)
    told.pool.submit(spec_of(bad, "1.0"))
    assert told.end("1.0").cause is Cause.BAD_FILE
    (pid,) = told.pids()
    told.pool.submit(spec_of(speech.SAMPLES / "english.flac", "2.0"))
    assert isinstance(told.end("2.0"), Done)
    assert told.pids() == [pid]


WRITES = """
import os, socket, subprocess, sys
from sttd.worker import *
from sttd.worker import run_part as real

def run_part(spec, model):
    tried = {
        "create": lambda: open(spec.source + ".new", "w"),
        "overwrite": lambda: open(spec.source, "r+"),
        "truncate": lambda: os.truncate(spec.source, 0),
        "remove": lambda: os.remove(spec.source),
        "rename": lambda: os.rename(spec.source, spec.source + ".old"),
        "folder": lambda: os.mkdir(spec.source + ".d"),
        "link": lambda: os.symlink("/etc/passwd", spec.source + ".l"),
        "program": lambda: subprocess.run(["/bin/true"]),
        "connect": lambda: socket.create_connection(("127.0.0.1", 9)),
        "signal": lambda: os.kill(os.getppid(), 0),
    }
    for name, act in tried.items():
        try:
            act()
            print("DID", name, file=sys.stderr, flush=True)
        except PermissionError:
            print("REFUSED", name, file=sys.stderr, flush=True)
        except OSError as error:
            print("FAILED", name, error, file=sys.stderr, flush=True)
    yield from real(spec, model)
"""


def landlock() -> int:
    """The version that this kernel has; below 1: none."""
    return ctypes.CDLL(None).syscall(444, None, 0, 1)


@pytest.mark.skipif(landlock() < 3, reason="this kernel has no Landlock, or one that lets files be truncated")
def test_a_worker_can_write_no_file_run_no_program_and_signal_nobody_and_still_transcribes(tmp_path):
    """Whatever a recording makes of a decoder. Run apart from pytest, to hear its standard error."""
    (tmp_path / "attacker.py").write_text(WRITES)
    source = tmp_path / "talk.flac"
    shutil.copy(speech.SAMPLES / "english.flac", source)
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.pool.conftest import Rig\nfrom tests.pool.test_real_worker import spec_of\n"
        f"if __name__ == '__main__':\n    told = Rig(worker='attacker')\n    told.pool.submit(spec_of(Path({str(source)!r}), '1.0'))\n"
        "    print(type(told.end('1.0')).__name__)\n    told.pool.close(0.0)\n"
    )
    (tmp_path / "drive.py").write_text(code)
    environ = os.environ | {"PYTHONPATH": f"{Path.cwd()}:{tmp_path}"}
    done = subprocess.run(
        [sys.executable, tmp_path / "drive.py"],
        capture_output=True,
        text=True,
        env=environ,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == "Done\n", done.stderr
    told = dict(
        line.split()[1::-1] for line in done.stderr.splitlines() if line.split()[0] in ("DID", "REFUSED", "FAILED")
    )
    may = {"connect"} if landlock() < 4 else set()
    may |= {"signal"} if landlock() < 6 else set()
    assert {name for name, how in told.items() if how != "REFUSED"} <= may, told
    assert len(told) == 10
    assert sorted(path.name for path in tmp_path.glob("talk*")) == ["talk.flac"]
    assert source.stat().st_size == (speech.SAMPLES / "english.flac").stat().st_size
