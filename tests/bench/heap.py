"""What is in the way of row 5: a worker's heap at its highest moments, by what was in the model then.

python -m tests.bench.heap 600 7200      recordings of so many seconds, one after the other
"""

from __future__ import annotations

import collections
import ctypes
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

from tests.bench import contenders, random_model, recordings

_LOOK = 0.003  # seconds between two looks
_CALLS = ("encode", "generate", "align")
_MIB = 2**20


class _Mallinfo2(ctypes.Structure):
    """malloc.h of glibc 2.33 and later."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    )


class _Counted:
    """Stands before CTranslate2's Whisper, and counts the calls that are under way."""

    def __init__(self, whisper: Any) -> None:
        self._whisper = whisper
        self.under_way: collections.Counter[str] = collections.Counter()

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._whisper, name)
        if name not in _CALLS:
            return real

        def call(*args: Any, **named: Any) -> Any:
            self.under_way[name] += 1
            try:
                return real(*args, **named)
            finally:
                self.under_way[name] -= 1

        return call


def profile(path: Path) -> None:
    """Hear the recording in this process, and print the highest moment of all and of what malloc had given out."""
    from sttd.part import ModelSpec, Options, PartSpec
    from sttd.worker import load, run_part

    seen = path.stat()
    spec = ModelSpec(name="demo", fallback="", cpu_threads=contenders.CORES)
    model = load(spec, lambda *_: None)
    counted = model.whisper.model = _Counted(model.whisper.model)
    libc, this = ctypes.CDLL(None), psutil.Process()
    libc.mallinfo2.restype = _Mallinfo2
    ended, highest = threading.Event(), {"resident": (0, ""), "given out": (0, "")}

    def watch() -> None:
        while not ended.wait(_LOOK):
            resident, heap = this.memory_info().rss, libc.mallinfo2()
            calls = ", ".join(f"{count} in {name}" for name, count in counted.under_way.items() if count) or "none"
            words = f"{resident // _MIB} MiB resident; heap {heap.arena // _MIB}, of it given out {heap.uordblks // _MIB}; {calls}"
            for name, value in (("resident", resident), ("given out", heap.uordblks)):
                highest[name] = max(highest[name], (value, words))

    watching = threading.Thread(target=watch)
    watching.start()
    part = PartSpec(
        part_id="1.0", attempt=1, source=str(path), size=seen.st_size, mtime_ns=seen.st_mtime_ns, model=spec,
        options=Options(),
    )  # fmt: skip
    for _ in run_part(part, model):
        pass
    ended.set()
    watching.join()
    for name, (_, words) in highest.items():
        print(f"{path.name}, most {name}: {words}", flush=True)


if __name__ == "__main__":
    if Path(sys.argv[1]).is_file():
        profile(Path(sys.argv[1]))
    else:
        for seconds in map(float, sys.argv[1:]):
            file = recordings.long(random_model.CACHE, seconds).files[0]
            subprocess.run([sys.executable, "-m", "tests.bench.heap", str(file)], check=True)
