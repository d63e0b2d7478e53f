"""Rows 15 to 17: workers that a command reaches. They see none of the daemon's files, so that the recording is sent to each.

They are on this machine, in mount namespaces of their own: what the network between two machines costs is not in these figures.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.bench import contenders, material
from tests.bench.recordings import Heard
from tests.bench.side_by_side import Bench, Figure, Outcome, Row, Turns, alone
from tests.harness import Daemon
from tests.machine import no_mounts

# gives a command what comes in, and writes down how many bytes that were
_COUNTED = """
import os, subprocess, sys, threading
worker = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE)
count = 0

def give():
    global count
    while data := os.read(0, 65536):
        count += len(data)
        try:
            os.write(worker.stdin.fileno(), data)
        except BrokenPipeError:
            return
    worker.stdin.close()

threading.Thread(target=give, daemon=True).start()
code = worker.wait()
with open(sys.argv[1], "w") as file:
    print(count, file=file)
os._exit(code)
"""
_HIDDEN = 'mount -t tmpfs none "$1" && shift && exec "$@"'


@dataclass
class _Spent:
    """Of one contender: the daemon's own processor seconds, and the bytes that it sent; by run."""

    seconds: list[float] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)


def rows(bench: Bench, wanted: set[int]) -> list[Row]:
    if reason := no_mounts():
        print(f"rows 15 to 17 are left out: {reason}")
        return []
    heard, model = material.long(bench, "demo", bench.seconds(3600)), material.model(bench, "demo")
    spent = {"two": _Spent(), "one": _Spent()}
    turns = Turns(
        {
            "two": lambda: _run(heard, model, 2, spent["two"]),
            "one": lambda: _run(heard, model, 1, spent["one"]),
        },
        material.checker(heard, "demo"),
    ).run(bench.runs)
    hours, size = heard.seconds / 3600, sum(file.stat().st_size for file in heard.files)
    what = f"one recording of {heard.seconds / 60:.0f} min, demo model, workers of 1 thread behind a command: "
    sent = Figure.of([each / size for each in spent["one"].sent])
    own = Figure.of([seconds / hours for seconds in spent["two"].seconds])
    found = [
        Row(15, what + "time of two ÷ one", turns.ratio("two", "one"), 0.7, notes=turns.seconds("two", "one")),
        Row(16, what + "bytes sent to one ÷ bytes of the file", sent, 1.05, form=".3f", notes=f"{size / 1e6:.1f} MB"),
        Row(17, what + "the daemon's own processor seconds, with two, for an hour of audio", own, 6.0),
    ]
    return [row for row in found if row.number in wanted]


def _run(heard: Heard, model: Path, count: int, spent: _Spent) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lengths = {"pool.split_after": f"{heard.seconds / 6:.0f}s", "pool.part_length": f"{heard.seconds / 12:.0f}s"}
        own = {"model.name": str(model), "model.compute_type": "auto", "pool.job_timeout": "12h"} | lengths
        (root / "sttd.toml").write_text(_tables(root, count))
        daemon = Daemon(root / "here", own, "--config", str(root / "sttd.toml"))
        del daemon.settings["pool.workers"]
        contenders.put(heard.files, daemon.inbox)
        started = time.perf_counter()
        process = psutil.Process(daemon.start("--drain").process.pid)  # type: ignore[union-attr]
        spent.seconds.append(_watched(process))
        assert daemon.wait() == 0, "\n".join(daemon.log[-10:])
        seconds = time.perf_counter() - started
        spent.sent.append(sum(int((root / f"sent{number}").read_text()) for number in range(count)))
        (job,) = daemon.jobs()
        return Outcome(seconds, [(job.language or "und", daemon.text(job.source, job.language or "und"))])


def _tables(root: Path, count: int) -> str:
    tables = ['[pool]\nworkers = 0\nwhen_unreachable = "wait"\n']
    for number in range(count):
        worker = [sys.executable, "-m", "sttd", "worker", "--spool", tempfile.gettempdir()]
        hidden = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            _HIDDEN,
            "sh",
            str(root / "here"),
            *worker,
        ]
        command = [sys.executable, "-c", _COUNTED, str(root / f"sent{number}"), *hidden]
        words = ", ".join(f"'''{word}'''" for word in command)
        tables.append(f'[[pool.remote]]\nname = "far{number}"\ncommand = [{words}]\ncpu_threads = 1\n')
    return "\n".join(tables)


def _watched(process: psutil.Process) -> float:
    """The processor seconds of a daemon itself, until it ends."""
    spent = 0.0
    while True:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return spent
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            return spent
        spent = max(spent, times.user + times.system)
        time.sleep(0.1)


if __name__ == "__main__":
    alone(rows, {15, 16, 17})
