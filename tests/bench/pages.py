"""Processor time of the web process for each address, with many jobs. On a busy machine too: it is no wall time.

    nice python -m tests.bench.pages [--count 100000] [--index search.db] [--folder DIR]

A fifth of the jobs waits, the others ended in the course of a year. `--index` is a search index to be searched as it is, such as
the one that `sttd search` made; without one the index is as good as empty.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psutil

from sttd.fs.lock import Lock
from sttd.search import INDEX, lock_of
from tests.bench.side_by_side import hardware
from tests.report.filled import fill
from tests.web.served import Served
from tests.web.shelf import Shelf, segment

TIMES = 3  # each address is asked for
LIMIT = 0.1  # seconds
FIGURES = {
    "workers": [], "memory": {"percent": 40.0, "level": "normal"}, "inbox": {"ignored": {}, "settling": 0, "away": None}, "trouble": [],
    "operations": [],
}  # fmt: skip


def addresses(job: int, long: int, middle: int) -> list[str]:
    tabs = [f"/?state={state}" for state in ("queued", "running", "done", "failed", "cancelled")]
    searches = ["/search", *(f"/search?q={quote(word)}" for word in ("สิทธิ", "ก", "the", "สิทธิ มนุษยชน", "nowhere"))]
    narrow = ["/search?q=" + quote("สิทธิ") + each for each in ("&language=th", "&folder=0005", "&from=2026-01-01&to=2027-01-01", "&from=2020-01-01&language=en&folder=0001")]  # fmt: skip
    about = [f"/jobs/{job}", f"/jobs/{long}", f"/jobs/{middle}", f"/jobs/{long}/transcript?from=2000", f"/jobs/{long}/result.srt", f"/jobs/{long}/result.md"]  # fmt: skip
    reports = [f"/report?since={since}" for since in ("24h", "7d", "30d", "1y")]
    return ["/", "/?fragment=1", f"/?before={middle}", f"/?state=done&before={middle}", *tabs, *about, *searches, *narrow, *reports, "/metrics", "/healthz", "/login", "/nothing"]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="processor time of each page")
    parser.add_argument("--count", type=int, default=100_000, help="jobs")
    parser.add_argument("--index", type=Path, help="a search index")
    parser.add_argument("--folder", type=Path, help="to work in; removed afterwards")
    args = parser.parse_args()
    print(f"{hardware()}; load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        measure(Path(name), args.count, args.index)


def measure(root: Path, count: int, index: Path | None) -> None:
    (root / "state").mkdir()
    (root / "state-web").mkdir(mode=0o700)
    fill(root / "state" / "ledger.db", time.time(), 365, count)
    shelf = Shelf(root)
    waiting = "UPDATE jobs SET state = 'queued', finished_at = NULL, started_at = NULL WHERE id > ?"
    shelf.ledger._db.execute(waiting, (count - count // 5,))
    words = "this is what was said in a long meeting about nothing at all"
    job = shelf.finish("talk.flac", [segment(0, 3, words)])
    long = shelf.finish("long.flac", [segment(3.0 * n, 3.0 * n + 3, words) for n in range(10_000)], formats=("json",))
    if index is not None:
        shutil.copyfile(index, root / "state-web" / INDEX)
    held = Lock(lock_of(root / "state-web" / INDEX), "the index") if index is not None else None
    with shelf.daemon(FIGURES):
        served = Served(root)
        try:
            report(served, addresses(job.id, long.id, count // 2))
        finally:
            served.close()
    if held is not None:
        held.release()
    shelf.ledger.close()


def report(served: Served, paths: list[str]) -> None:
    """A line for each address, the dearest first."""
    process = psutil.Process(served.process.pid)
    settle(process)
    found = []
    for path in paths:
        first, *more = (asked(served, process, path) for _ in range(TIMES))
        found.append((statistics.median(more), max(more), first, path))
        print(".", end="", flush=True)
    print("\n| address | median, ms | most, ms | the first time, ms |\n| --- | --- | --- | --- |")
    for middle, most, first, path in sorted(found, reverse=True):
        over = " over" if most > LIMIT else ""
        print(f"| {path} | {1000 * middle:.0f} | {1000 * most:.0f}{over} | {1000 * first:.0f} |")


def asked(served: Served, process: psutil.Process, path: str) -> float:
    """Seconds of processor time, of all threads: also what goes on behind the answer."""
    before = _used(process)
    served.get(path, {"Accept": "text/html"})
    settle(process)
    return _used(process) - before


def settle(process: psutil.Process) -> None:
    """Until it does nothing any more."""
    last = -1.0
    while (used := _used(process)) != last:
        last = used
        time.sleep(0.15)


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
