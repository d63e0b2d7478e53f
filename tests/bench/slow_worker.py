"""sttd's own worker on a slow machine: loads that take minutes, windows that take half a one, memory that swings.

Everything is real but the time: `SCALE` seconds are a minute. Which load takes how long is told by a counter in
`FOLDER`, so that two runs meet the same loads in the same order; clean-ups are timed into a file there.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sttd import worker
from sttd.part import Chunks, Event, PartSpec
from sttd.worker import LoadedModel, NoModel, PartFailed, cleanup, confine, load, model
from sttd.worker.folder import DEMO

__all__ = ["Cleaner", "LoadedModel", "NoModel", "PartFailed", "confine", "load", "run_part"]

SCALE = float(os.environ["STTD_BENCH_SCALE"])  # seconds that stand for a minute
FOLDER = Path(os.environ["STTD_BENCH_FOLDER"])
LOADS = (1.0, 3.0, 1.5, 2.5, 1.2, 4.0, 1.1, 3.5)  # minutes that a load of the asked model takes, in turn
WINDOW = 0.5  # minutes that a window takes
FALLBACK = 0.5  # minutes that a load of the small fallback takes
GARBAGE = 6  # MiB in a cycle of references that each window leaves behind

_read = model._read
_clean_up = cleanup.clean_up


def slow_read(folder: Path, spec: Any) -> Any:
    """The true load, after the time that the disk of the slow machine takes."""
    time.sleep(SCALE * (FALLBACK if folder == DEMO else LOADS[count("loads") % len(LOADS)]))
    return _read(folder, spec)


def count(name: str) -> int:
    """A counter that all workers share."""
    with (FOLDER / name).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = file.seek(0, os.SEEK_END)
        file.write(b".")
    return before


def timed_clean_up() -> int:
    began = time.perf_counter()
    freed = _clean_up()
    with (FOLDER / "clean-ups").open("a") as file:
        file.write(f"{time.perf_counter() - began}\n")
    return freed


def run_part(spec: PartSpec, loaded: LoadedModel) -> Iterator[Event]:
    """The true part; a batch takes half a minute for each of its windows."""
    began = time.monotonic()
    for event in worker.run_part(spec, loaded):
        if isinstance(event, Chunks):
            for _ in event.chunks:
                ring: list[Any] = [bytearray(GARBAGE << 20)]
                ring.append(ring)
            time.sleep(max(0.0, SCALE * WINDOW * len(event.chunks) - (time.monotonic() - began)))
            began = time.monotonic()
        yield event


model._read = slow_read
cleanup.clean_up = timed_clean_up
Cleaner = cleanup.Cleaner
