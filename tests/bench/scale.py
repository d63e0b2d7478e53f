"""Rows 9 to 11: 100,000 files in the inbox, 1,000,000 finished jobs in the ledger, and how soon a command answers.

The daemon of rows 9 and 10 is paused, so that only its own work is measured. A command's time is that of the whole
process, Python's start included, with the modules compiled as pip compiles them where it installs.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from sttd import configfile
from sttd.inbox import Inbox
from sttd.job import Job, State
from sttd.ledger import Ledger
from sttd.ledger.rows import COLUMNS, to_row
from tests.bench.memory import peaks
from tests.bench.parent import as_installed, started
from tests.bench.side_by_side import Bench, Figure, Row, alone
from tests.harness import Daemon, wait_for

_PATIENCE = 600.0
_RESCANS = 3  # that the daemon does by itself, once a minute, while its processor time is measured
_BATCH = 10_000  # jobs that are put into the ledger at once
_NO_TIME = 0.001  # seconds between two looks


def rows(bench: Bench, wanted: set[int]) -> list[Row]:
    found = []
    with tempfile.TemporaryDirectory(dir=bench.cache.parent) as folder:
        if 9 in wanted:
            found += _full_inbox(bench, Path(folder) / "9")
        if 10 in wanted:
            found += _full_ledger(bench, Path(folder) / "10")
        if 11 in wanted:
            found.append(_command(bench, Path(folder) / "11"))
    return found


def _full_inbox(bench: Bench, root: Path) -> list[Row]:
    count = bench.count(100_000, least=1000)
    daemon = _paused(root, {"watch.settle": "5s"})
    for number in range(count):
        folder = daemon.inbox / f"{number // 1000:03}"
        folder.mkdir(exist_ok=True)
        (folder / f"clip {number:06}.mp3").write_bytes(b"x" * (number % 4096))
    began = time.perf_counter()
    with _running(daemon) as (process, _), daemon.ledger() as ledger:
        wait_for(lambda: ledger.counts()[State.QUEUED] == count, "all files are queued", _PATIENCE)
        queued = time.perf_counter() - began
        time.sleep(5)  # what the last of them brings with it
        before, watched = process.cpu_times(), 60.0 * _RESCANS * max(bench.scale, 1 / 60)
        time.sleep(watched)
        after = process.cpu_times()
        busy = (after.user + after.system - before.user - before.system) / watched
        most = peaks(process.pid)[process.pid]
    scan = Figure.of(_rescans(daemon, bench.runs))
    what = f"{count} files in the inbox at start"
    return [
        Row(9, f"{what}: all queued, with 5 s of settling; s", Figure.of([queued]), 20, 8, ".1f"),
        Row(9, f"{what}: the daemon's peak memory; MB", Figure.of([most * 2**20 / 1e6]), 120, None, ".0f"),
        Row(9, f"{what}: a later look through the inbox with nothing new; s", scan, 1.5),
        Row(9, f"{what}: processor time with one such look a minute; % of a core", Figure.of([100 * busy]), 3, None),
    ]


def _rescans(daemon: Daemon, runs: int) -> list[float]:
    """Seconds of each look through an inbox in which everything is known."""
    inbox = Inbox(configfile.load(root=daemon.root, sets=["watch.settle=0s"]), lambda _: None)
    inbox.start()
    try:
        times = []
        for _ in range(runs + 1):
            began = time.perf_counter()
            inbox.kick()
            wait_for(inbox.idle, "the look has ended", _PATIENCE, _NO_TIME)
            times.append(time.perf_counter() - began)
        return times[1:]
    finally:
        inbox.stop()


def _full_ledger(bench: Bench, root: Path) -> list[Row]:
    count = bench.count(1_000_000, least=1000)
    daemon = _paused(root, {})
    fill(daemon.state / "ledger.db", count)
    times: dict[str, list[float]] = {"status": [], "jobs": [], "enqueue": [], "restart": []}
    for run in range(bench.runs):
        with _running(daemon) as (_, ready):
            times["restart"].append(ready)
            times["status"].append(_seconds(daemon, "status"))
            times["jobs"].append(_seconds(daemon, "jobs", "--limit", "100"))
            times["enqueue"].append(_enqueue(daemon, f"new {run}.mp3"))
    what = f"{count} finished jobs in the ledger"
    says = {
        "status": "`sttd status`", "jobs": "`sttd jobs --limit 100`",
        "enqueue": "a file closed until it is queued (settle 0 s)", "restart": "start until READY",
    }  # fmt: skip
    return [Row(10, f"{what}: {says[name]}; s", Figure.of(values), 0.3, None) for name, values in times.items()]


def fill(path: Path, count: int) -> None:
    """Finished jobs of a past in which each took a minute."""
    ledger, now = Ledger.open(path), time.time()
    names = [name for name in COLUMNS if name != "id"]
    insert = f"INSERT INTO jobs ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    for first in range(0, count, _BATCH):
        with ledger.transaction():
            numbers = range(first, min(count, first + _BATCH))
            ledger._db.executemany(insert, (_done(number, now - 60.0 * (count - number)) for number in numbers))
    ledger.close()


def _done(number: int, ended: float) -> list[object]:
    source = f"{number // 1000:04}/talk {number:07}.mp3"
    job = Job(
        0, source, 1_000_000 + number % 9973, int(ended * 1e9), state=State.DONE, created_at=ended - 60,
        queued_at=ended - 60, started_at=ended - 30, finished_at=ended, location=f"archive/{source}", attempts=1,
        attempt=1, service=30.0, chunks=10, progress=300.0, audio_seconds=300.0, language="en", model="small",
        requested_model="small", sha256=f"{number:064x}", options_key="0", outputs=(f"{source}.en.txt",),
    )  # fmt: skip
    return list(to_row({name: getattr(job, name) for name in COLUMNS if name != "id"}).values())


def _enqueue(daemon: Daemon, name: str) -> float:
    with daemon.ledger() as ledger:
        before = ledger.counts()[State.QUEUED]
        began = time.perf_counter()
        (daemon.inbox / name).write_bytes(name.encode())
        wait_for(lambda: ledger.counts()[State.QUEUED] > before, "it is queued", pause=_NO_TIME)
        return time.perf_counter() - began


def _command(bench: Bench, root: Path) -> Row:
    daemon = _paused(root, {})
    with _running(daemon):
        times = [_seconds(daemon, "status") for _ in range(max(bench.runs, 10))]
    bare = [_run([sys.executable, "-c", "pass"]) for _ in range(10)]
    notes = f"Python's own start {Figure.of(bare).middle:.3f} s"
    return Row(11, "`sttd status`, from its start to its end; s", Figure.of(times), 0.25, 0.12, ".3f", notes)


def _paused(root: Path, settings: dict[str, str]) -> Daemon:
    """A daemon that has run once and been told to pause. What is timed has been compiled by then."""
    daemon = Daemon(root, {"watch.settle": "0s"} | settings)
    with _running(daemon):
        for words in (["status"], ["jobs", "--limit", "100"]):
            _seconds(daemon, *words)
        daemon.sttd("pause")
        wait_for(lambda: daemon.json("status")["paused"], "it is paused")
    return daemon


@contextlib.contextmanager
def _running(daemon: Daemon) -> Iterator[tuple[psutil.Process, float]]:
    """Its process, and the seconds until READY=1."""
    process, ready = started(daemon)
    try:
        yield psutil.Process(process.pid), ready
    finally:
        process.terminate()
        process.wait(60)


def _seconds(daemon: Daemon, *words: str) -> float:
    return _run(daemon.command(*words))


def _run(command: list[str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False, env=as_installed())
    assert done.returncode in (0, 3), command  # 3: `status`, and no daemon runs
    return time.perf_counter() - began


if __name__ == "__main__":
    alone(rows, {9, 10, 11})
