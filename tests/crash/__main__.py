"""`python -m tests.crash`: walk every durable step, print the table. Interrupted, it prints what it has come to.

With `--keep FOLDER` it goes on another time where it was, on the same code.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import pickle
import queue
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import sttd
from tests.crash import case
from tests.crash.case import COLUMNS, Outcome, Record
from tests.crash.lane import Lane, why_not

VICTIMS = ("daemon", "worker", "power")
HEADS = {
    "one": "one file system",
    "many": "different file systems",
    "linked": "no RENAME_NOREPLACE",
    "beside": "beside the sources",
    "library": "beside, another disk",
    "parts": "shared out in parts",
}


BESIDE = ("web", "notify", "search", "report", "install", "share")  # packages of other processes than those of a walk


@dataclass(frozen=True)
class Task:
    column: str
    victim: str
    step: str  # its name, and for a power cut what of the disk was left
    what: str


class Walk:
    """Tasks shared out over lanes."""

    def __init__(self, shared: Path, lanes: int) -> None:
        self.shared = shared
        self.lanes = [Lane(shared, number) for number in range(lanes)]
        self.records: dict[str, Record] = {}
        self.outcomes: dict[Task, Outcome] = {}
        self._waiting: list[Task] = []
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._log = shared / "outcomes.jsonl"

    @property
    def cases(self) -> int:
        return len(self._waiting)

    def record(self, column: str, victims: list[str]) -> None:
        kept = self.shared / f"{column}.record"
        if not kept.exists():
            whole = kept.with_suffix(".whole")
            whole.write_bytes(pickle.dumps(self.lanes[0].record(column)))
            whole.rename(kept)
        record = self.records[column] = pickle.loads(kept.read_bytes())
        for number, (name, image) in enumerate(record.images.values()) if "power" in victims else ():
            path = self.shared / f"{column}-{number}"
            path.write_bytes(pickle.dumps(image))
            self._waiting.append(Task(column, "power", name, str(path)))
        for victim in victims:
            for step in record.steps if victim != "power" else ():
                self._waiting.append(Task(column, victim, step, step))

    def go_on(self) -> None:
        """Take over what an earlier walk in the same folder has come to."""
        known = set(self._waiting)
        with self._log.open("a+b") as log:
            log.seek(0)
            whole = log.read().rpartition(b"\n")
            log.truncate(len(whole[0] + whole[1]))  # a walk that was killed may have left half a line
        for line in whole[0].splitlines():
            told = json.loads(line)
            task = Task(**told["task"])
            if task in known:
                self.outcomes[task] = Outcome(told["made"], tuple(told["problems"]))

    def walk(self) -> None:
        """In no order, so that a walk that is interrupted has been everywhere; but the longest cases come last."""
        waiting = [task for task in self._waiting if task not in self.outcomes]
        random.Random(0).shuffle(waiting)
        for task in sorted(waiting, key=lambda task: task.victim == "worker"):
            self._tasks.put(task)
        threads = [threading.Thread(target=self._serve, args=(lane,), daemon=True) for lane in self.lanes]
        for thread in threads:
            self._tasks.put(None)
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:  # cases that are under way come to their end
            with contextlib.suppress(queue.Empty):
                while True:
                    self._tasks.get_nowait()
            for _ in threads:
                self._tasks.put(None)
            for thread in threads:
                thread.join()
            raise

    def _serve(self, lane: Lane) -> None:
        while (task := self._tasks.get()) is not None:
            outcome = lane.run(task.column, task.victim, task.what, self.records[task.column].expected)
            self.outcomes[task] = outcome
            with self._log.open("a", encoding="utf-8") as log:
                log.write(json.dumps({"task": asdict(task)} | asdict(outcome)) + "\n")
            for problem in outcome.problems:
                print(f"{task.column} {task.victim} {task.step}: {problem}", flush=True)
            print(f"\r{len(self.outcomes)} of {self.cases} ", end="", file=sys.stderr, flush=True)


def kind(step: str) -> str:
    """A step without what tells one recording and one time from another."""
    step = re.sub(r" #\d+| \[\w+\]", "", step)
    step = re.sub(r"\b(long|short|bad)\.(en|th)\.", "*.*.", step)
    step = re.sub(r"\b(long|short|bad)\b", "*", step)
    return re.sub(r"(work/|sttd-)[0-9a-f]+\b|[0-9a-f]{8}-\d+", lambda found: f"{found[1] or ''}*", step)


def table(outcomes: dict[Task, Outcome], steps: list[str], columns: list[str], victims: list[str]) -> list[str]:
    """Kills survived of kills made, by kind of step in the order of their first coming in `steps`."""
    cells: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    rows = dict.fromkeys(map(kind, steps))
    for task, outcome in outcomes.items():
        for row in (kind(task.step), "all"):
            cells[row, task.column, task.victim][0] += outcome.made and not outcome.problems
            cells[row, task.column, task.victim][1] += outcome.made
    wide = max(map(len, [*rows, "step"]))
    heads = [f"{HEADS[column]:^{12 * len(victims)}}" for column in columns]
    lines = [
        f"{'':{wide}}  {'  '.join(heads)}",
        f"{'step':{wide}}  {''.join(f'{v:>12}' for _ in columns for v in victims)}",
    ]
    for row in (*rows, "all"):
        words = []
        for column in columns:
            for victim in victims:
                survived, made = cells[row, column, victim]
                words.append(f"{survived}/{made}" if made else "-")
        lines.append(f"{row:{wide}}  {''.join(f'{word:>12}' for word in words)}")
    return lines


def code() -> str:
    """Which sttd this is: a hash of the modules that a daemon and its workers are made of."""
    root, found = Path(sttd.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] not in BESIDE:
            found.update(path.read_bytes())
    return found.hexdigest()[:12]


@contextlib.contextmanager
def shared_folder(keep: Path | None) -> Iterator[Path]:
    """A folder with the recordings in it; one that is kept says which code its walk is of."""
    with contextlib.ExitStack() as stack:
        folder = (
            keep.resolve() if keep else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sttd-crash-")))
        )
        folder.mkdir(parents=True, exist_ok=True)
        begun = folder / "code"
        if not begun.exists():
            case.make_sources(folder / "template")
            begun.write_text(code())
        if begun.read_text() != code():
            sys.exit(
                f"{folder} has a walk of other code ({begun.read_text()}, and this is {code()}): name another folder"
            )
        yield folder


def tell(walk: Walk, columns: list[str], victims: list[str]) -> None:
    steps = [step for record in walk.records.values() for step in record.steps]
    print("\n" + "\n".join(table(walk.outcomes, steps, columns, victims)))
    for column, record in walk.records.items():
        print(f"{HEADS[column]}: {len(record.steps)} steps, {len(record.images)} different disks after a power cut")
    missed = [task for task, outcome in walk.outcomes.items() if not outcome.made and task.victim == "daemon"]
    print(f"steps that did not come again: {[f'{task.column} {task.step}' for task in missed]}")
    print(f"{len(walk.outcomes)} cases of {walk.cases}, code {code()}")
    for task, outcome in walk.outcomes.items():
        for problem in outcome.problems:
            print(f"{task.column} {task.victim} {task.step}: {problem}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--column", choices=COLUMNS, action="append", help="only this one")
    parser.add_argument("--victim", choices=VICTIMS, action="append", help="only this one")
    parser.add_argument("--lanes", type=int, default=os.cpu_count() or 1, help="cases side by side")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="go on where an interrupted walk was")
    args = parser.parse_args()
    columns, victims = args.column or list(COLUMNS), args.victim or list(VICTIMS)
    if reason := why_not():
        print(reason)
        return 2
    began = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with shared_folder(args.keep) as folder:
        walk = Walk(folder, args.lanes)
        with contextlib.suppress(KeyboardInterrupt):
            for column in columns:
                walk.record(column, victims)
            walk.go_on()
            walk.walk()
        tell(walk, columns, victims)
        print(f"{time.monotonic() - began:.0f} s")
        for lane in walk.lanes:
            lane.close()
    return 1 if any(outcome.problems for outcome in walk.outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
