"""A worker's peak memory on a 3 h recording, as a multiple of that on a 10 min one. The text at the end of both is checked."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tests import speech
from tests.harness import Daemon, wait_for


def peak(root: Path, seconds: float) -> tuple[float, float]:
    """Peak resident MiB of the worker on a recording of `seconds`, and the error rate of its last ten minutes."""
    daemon = Daemon(root, {"transcribe.language": "en", "model.cpu_threads": "2", "pool.job_timeout": "1h"})
    block = speech.compose(seconds=600, language="en", seed=1)
    # the same ten minutes over and over, so that what was said is known
    repeats = round(seconds / 600)
    speech.encode(daemon.inbox / "long.flac", np.tile(block.audio, repeats))
    daemon.start("--drain")
    (worker,) = wait_for(daemon.children, "the worker runs")
    highest = 0.0
    assert daemon.process is not None
    while daemon.process.poll() is None and worker.is_running():
        try:
            status = Path(f"/proc/{worker.pid}/status").read_text()
        except OSError:
            break
        marks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
        highest = max([highest, *(int(mark) / 1024 for mark in marks)])
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.process.wait(0.2)
    assert daemon.wait(600) == 0, daemon.log[-5:]
    # the last ten minutes: what is lost on the way would show there
    last = [each["text"] for each in daemon.result("long.flac", "en")["segments"] if each["start"] >= seconds - 600]
    return highest, speech.error_rate(block.said(), " ".join(last), "en")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=3.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        short, short_error = peak(Path(folder) / "short", 600)
        long, long_error = peak(Path(folder) / "long", args.hours * 3600)
    print(f"10 min: peak {short:.0f} MiB, error {short_error:.2%}")
    print(f"{args.hours:g} h: peak {long:.0f} MiB, error {long_error:.2%}")
    print(f"peak memory of a worker, {args.hours:g} h / 10 min = {long / short:.3f}")
    if abs(long_error - short_error) > 0.03:
        raise SystemExit("the texts differ in quality: the figures do not count")


if __name__ == "__main__":
    main()
