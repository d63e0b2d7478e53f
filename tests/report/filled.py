"""A ledger with a past: jobs, attempts and samples of as long as is wanted, put into its tables at once."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sttd.ledger import Ledger
from sttd.ledger.past.ageing import AGES
from sttd.ledger.past.records import Sample
from sttd.ledger.past.tables import SAMPLES

DAY = 86400.0
_COLUMNS = (
    "source", "size", "mtime_ns", "state", "created_at", "queued_at", "not_before", "started_at", "finished_at",
    "location", "attempts", "attempt", "resumes", "service", "chunks", "progress", "audio_seconds", "fallback_reason",
    "overrides", "outputs",
)  # fmt: skip


def fill(path: Path, now: float, days: float, jobs: int, seed: int = 7, *, samples: bool = True) -> None:
    """Fill a new ledger with jobs that ended in the `days` before `now` (UTC seconds)."""
    ledger = Ledger.open(path)
    chance = random.Random(seed)
    marks = ", ".join("?" * len(_COLUMNS))
    indexes = "FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    made = ledger._db.execute(f"SELECT name, sql {indexes}").fetchall()
    for name, _ in made:  # made again at the end, which takes a tenth of the time
        ledger._db.execute(f"DROP INDEX {name}")
    with ledger.transaction():
        ledger._db.executemany(
            f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({marks})", _jobs(chance, now, days, jobs)
        )
        ledger._db.execute(
            "INSERT INTO attempts (job, attempt, started_at, ended_at, cause) "
            "SELECT id, 1, started_at, finished_at, CASE WHEN id % 97 = 0 THEN 'timeout' END FROM jobs"
        )
        if samples:
            SAMPLES.add(ledger._db, _samples(chance, now, days))
        for _, sql in made:
            ledger._db.execute(sql)
    ledger.close()


def _jobs(chance: random.Random, now: float, days: float, jobs: int) -> Iterator[tuple[Any, ...]]:
    """More of them by day than by night, as long as recordings are."""
    for number in range(jobs):
        ended = now - days * DAY * (jobs - number) / jobs
        busy = 1.2 + math.sin(ended / DAY * math.tau)
        wait = min(busy * chance.lognormvariate(5, 1.2), 3 * DAY)
        audio = chance.lognormvariate(6, 1)
        state = chance.choices(("done", "failed", "cancelled", "vanished"), (93, 4, 2, 1))[0]
        fell_back = state == "done" and math.sin(ended / DAY / 3) > 0.97
        yield (
            f"meetings/{number:07}.m4a".encode(), 1_000_000, 1, state, ended - wait, ended - wait, 0.0, ended - wait / 2,
            ended, f"/archive/{number:07}.m4a".encode(), 1, 1, 0, audio / 9, 12, audio, audio,
            "it did not load in 5 minutes" if fell_back else None, "{}",
            f'["/srv/sttd/transcripts/meetings/{number:07}.en.txt", "/srv/sttd/transcripts/meetings/{number:07}.en.srt"]',
        )  # fmt: skip


def _samples(chance: random.Random, now: float, days: float) -> Iterator[Sample]:
    """As thinned as they are at their age."""
    at = int(now - days * DAY)
    while at < now - 60:
        seconds = max([60, *(span for _, age, span in AGES if at < now - age)])
        at -= at % seconds
        low = 45 + 12 * math.sin(at / DAY * math.tau) + chance.uniform(0, 4)
        high = min(99.0, low + chance.uniform(1, 12) + (30 if chance.random() < seconds / 400_000 else 0))
        level = sum(high > each for each in (80, 90, 95))
        queued = max(0, round(40 * math.sin(at / DAY * math.tau) + chance.uniform(-5, 25)))
        yield Sample(at, seconds, low, high, level, queued, int(chance.random() < seconds / 300_000), int(chance.random() < seconds / 40_000))  # fmt: skip
        at += seconds
