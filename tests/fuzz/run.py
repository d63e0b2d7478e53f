"""Files through a pool with one real worker, each with its time and the worker's highest memory."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sttd.config import Config
from sttd.part import ENDS, Cause, Done, Event, Failed, ModelSpec, Options, PartSpec
from sttd.pool.build import pool_of

OPTIONS = Options(batch_size=1, beam_size=1, temperatures=(0.0,))
LONGEST = 600.0  # seconds; then the worker is killed, and the file has hung


@dataclass
class Row:
    """What became of the files of one container."""

    files: int = 0
    refused: int = 0
    transcribed: int = 0
    longest: float = 0.0  # seconds
    highest: int = 0  # bytes that the worker had at most, its model and libraries included
    wrong: Counter[str] = field(default_factory=Counter)  # ends that no file may bring about


class Lane:
    """One worker at a time, with the demo model."""

    def __init__(self, folder: Path) -> None:
        config = Config()
        config = dataclasses.replace(config, pool=dataclasses.replace(config.pool, workers=1, jobs_per_worker=10**9))
        self._path = folder / "file"
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._pool = pool_of(config)
        self._pool.start(self._events.put)
        self._number = 0
        self._highest = 0  # bytes, of the last file

    def close(self) -> None:
        self._pool.close(0.0)

    def run(self, name: str, files: Iterable[bytes]) -> Row:
        row = Row()
        for data in files:
            path = self._path.with_suffix(f".{name.rpartition('.')[2]}")
            path.write_bytes(data)
            pid = next((view.pid for view in self._pool.workers() if view.state == "idle"), None)
            _forget_peak(pid)
            began = time.monotonic()
            end = self._one(path)
            row.files += 1
            row.longest = max(row.longest, time.monotonic() - began)
            row.highest = max(row.highest, self._highest)
            if isinstance(end, Done):
                row.transcribed += 1
            elif isinstance(end, Failed) and end.cause is Cause.BAD_FILE:
                row.refused += 1
            else:
                row.wrong[f"{end.cause}: {end.error}"] += 1
        return row

    def _look(self) -> None:
        self._highest = max([self._highest, *(_peak(view.pid) for view in self._pool.workers())])

    def _one(self, path: Path) -> Event:
        """How the file ended."""
        self._number += 1
        self._highest = 0
        found, key = path.stat(), f"{self._number}.0"
        part = PartSpec(key, 1, str(path), found.st_size, found.st_mtime_ns, ModelSpec("demo", cpu_threads=1), OPTIONS)
        self._pool.submit(part)
        due = time.monotonic() + LONGEST
        while True:
            self._look()
            with contextlib.suppress(queue.Empty):
                event = self._events.get(timeout=max(0.01, min(0.5, due - time.monotonic())))
                if event.part_id == key and isinstance(event, ENDS):
                    self._look()
                    return event
            if time.monotonic() > due:
                self._pool.kill(key, 1, Cause.TIMEOUT)
            self._pool.tick(time.monotonic())


def _forget_peak(pid: int | None) -> None:
    """Let the highest memory be that of now (proc(5), clear_refs)."""
    with contextlib.suppress(OSError):  # there is no worker yet, or it is gone
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def _peak(pid: int | None) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def table(rows: Iterator[tuple[str, Row]]) -> Iterator[str]:
    """A line for each container, as it comes."""
    yield f"{'container':<18}{'files':>6}{'refused':>9}{'transcribed':>13}{'longest':>10}{'highest':>10}  wrong ends"
    for name, row in rows:
        wrong = "; ".join(f"{count} x {text}" for text, count in row.wrong.items()) or "none"
        yield (
            f"{name:<18}{row.files:>6}{row.refused:>9}{row.transcribed:>13}{row.longest:>8.1f} s"
            f"{row.highest / 2**20:>6.0f} MiB  {wrong}"
        )
