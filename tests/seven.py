"""A recording in seven parts: wherever they are done, and whatever is killed, it is the transcript of a run that nobody disturbs."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from sttd.job import State
from tests import speech
from tests.harness import PATIENCE, Daemon, wait_for

# every window is a checkpoint, and nothing is left to chance
SETTINGS = {
    "transcribe.language": "en", "transcribe.batch_size": "1", "transcribe.temperatures": "0", "model.cpu_threads": "1",
    "pool.split_after": "20s", "pool.part_length": "20s",
}  # fmt: skip
PARTS = 7
_SAME = 0.02  # seconds that a time may differ


@functools.cache
def _recording() -> speech.Recording:
    return speech.compose(seconds=20 * PARTS, language="en", seed=7)


def put(daemon: Daemon) -> None:
    speech.encode(daemon.inbox / "long.flac", _recording().audio)


def undisturbed(folder: Path) -> dict[str, Any]:
    """The result of a run with two workers of this machine."""
    daemon = Daemon(folder, SETTINGS | {"pool.workers": "2"})
    put(daemon)
    assert daemon.drain() == 0
    return daemon.result("long.flac", "en")


def wait_for_the_middle(daemon: Daemon) -> None:
    """Until two parts have a chunk."""

    def begun() -> bool:
        work = daemon.state / "work" / "1"
        return sum(path.read_bytes().count(b"\n") > 1 for path in work.glob("*.jsonl")) > 1

    wait_for(begun, "two parts have a chunk")
    assert daemon.job().state is not State.DONE


def check(daemon: Daemon, expected: dict[str, Any]) -> None:
    """Wait for its end: the same windows, the same words, the same times."""
    job = daemon.wait_state(State.DONE, patience=3 * PATIENCE)
    assert (job.attempts, job.shared and job.shared.parts) == (0, PARTS)
    found = daemon.result("long.flac", "en")
    assert found["chunks"] == expected["chunks"] >= PARTS
    assert [each["text"] for each in found["segments"]] == [each["text"] for each in expected["segments"]]
    for one, other in zip(found["segments"], expected["segments"], strict=True):
        assert all(abs(one[name] - other[name]) <= _SAME for name in ("start", "end")), (one, other)
