"""Rows 5 and 6: the peak memory of the daemon and its workers on 6 h against 10 min, and against faster-whisper's on 6 h.

The peak is the sum of each process's own highest resident size, which is never less than what they had together.
faster-whisper decodes the whole recording and its features first, so that its peak is behind it at its first segment.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from pathlib import Path

import psutil

from tests.bench import contenders, random_model, recordings
from tests.bench.side_by_side import Bench, Figure, Row, alone
from tests.harness import Daemon

_SHORT = 600.0  # seconds
_LOOK = 0.2  # seconds between two looks


def rows(bench: Bench, wanted: set[int]) -> list[Row]:
    long = recordings.long(bench.cache, bench.seconds(6 * 3600))
    mine, my_text = ours(long)
    print(f"  sttd on {long.seconds:.0f} s: {mine:.0f} MiB", flush=True)
    hours = f"{long.seconds / 3600:.2g} h"
    found = []
    if 5 in wanted:
        short = recordings.long(bench.cache, _SHORT)
        least, short_text = ours(short)
        print(f"  sttd on {short.seconds:.0f} s: {least:.0f} MiB", flush=True)
        _require_words(long, my_text)
        _require_words(short, short_text)
        what = f"peak memory of daemon and worker, demo: on {hours} ÷ on 10 min"
        notes = f"{mine:.0f} MiB, {least:.0f} MiB; what lies in the heap: `python -m tests.bench.heap`, LOG.md"
        found.append(Row(5, what, Figure.of([mine / least]), 1.05, 1.02, ".3f", notes))
    if 6 in wanted:
        theirs = contenders.plain_loop(long.files, random_model.folder("demo"), only_first=True).peak
        what = f"the same on {hours} ÷ faster-whisper's"
        found.append(Row(6, what, Figure.of([mine / theirs]), 0.15, notes=f"{mine:.0f} MiB, {theirs:.0f} MiB"))
    return found


def ours(heard: recordings.Heard) -> tuple[float, str]:
    """Peak MiB of daemon and worker together, and the transcript."""
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder), {"model.cpu_threads": str(contenders.CORES), "pool.job_timeout": "12h"})
        contenders.put(heard.files, daemon.inbox)
        daemon.start("--drain")
        assert daemon.process is not None
        highest: dict[int, float] = {}
        while daemon.process.poll() is None:
            for pid, peak in peaks(daemon.process.pid).items():
                highest[pid] = max(peak, highest.get(pid, 0.0))
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.process.wait(_LOOK)
        assert daemon.wait(60) == 0, daemon.log[-5:]
        return sum(highest.values()), daemon.text(heard.files[0].name, "en")


def peaks(pid: int) -> dict[int, float]:
    """The highest resident MiB so far of a process and of all below it."""
    found = {}
    with contextlib.suppress(psutil.NoSuchProcess, OSError):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            status = Path(f"/proc/{process.pid}/status").read_text("ascii", "replace")
            marks = [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")]
            found[process.pid] = max(marks, default=0.0)
    return found


def _require_words(heard: recordings.Heard, text: str) -> None:
    """What is lost on the way would show in the last ten minutes as well as in the first: all is compared."""
    recordings.checker(heard.said, "demo")("sttd", contenders.Outcome(0.0, [("en", text)]))


if __name__ == "__main__":
    alone(rows, {5, 6})
