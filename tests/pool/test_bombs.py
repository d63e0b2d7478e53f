"""Small files that ask for much are refused in words, at the first attempt, and cost the worker nothing that lasts."""

from __future__ import annotations

from pathlib import Path

import pytest

from sttd.part import Cause, Done
from sttd.pool.local.child import WORKER
from tests import speech
from tests.hostile.bombs import ENDLESS, REFUSED
from tests.pool.test_real_worker import spec_of


def peak(pid: int) -> int:
    """Bytes that were resident at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def test_what_asks_for_gigabytes_is_refused_and_its_worker_serves_on(rig, tmp_path):
    told = rig(worker=WORKER)
    told.pool.submit(spec_of(speech.SAMPLES / "english.flac", "0.0"))
    assert isinstance(told.end("0.0"), Done)
    (pid,) = told.pids()
    before = peak(pid)
    for number, (name, (make, says)) in enumerate(REFUSED.items(), 1):
        path = tmp_path / name
        path.write_bytes(make())
        told.pool.submit(spec_of(path, f"{number}.0"))
        end = told.end(f"{number}.0")
        assert (end.cause, end.retriable) == (Cause.BAD_FILE, False), name
        assert says in end.error, name
    told.pool.submit(spec_of(speech.SAMPLES / "english.flac", "99.0"))
    assert isinstance(told.end("99.0"), Done)
    assert told.pids() == [pid]
    assert peak(pid) - before < 0.7 * 2**30


@pytest.mark.parametrize(
    "name", ["texts.mp3", pytest.param("comments.flac", marks=pytest.mark.ci)]
)  # the others: python -m tests.fuzz
def test_a_head_that_is_computed_on_for_ever_is_given_up_with_the_process_that_has_it(rig, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(ENDLESS[name]())
    told = rig(worker="tests.worker.hasty")
    told.pool.submit(spec_of(path, "1.0"))
    end = told.end("1.0")
    assert (end.cause, end.retriable) == (Cause.BAD_FILE, False), end
    assert "without any sound" in end.error
    told.wait(lambda: not told.pool.workers(), "it exits, whatever its thread does")
