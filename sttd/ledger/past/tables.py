"""Records as rows. As elsewhere in the ledger no row is trusted: one that cannot be a record is passed over."""

from __future__ import annotations

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic

from sttd.job import State
from sttd.ledger.past.ageing import AGES, R, border, thinned
from sttd.ledger.past.records import STATES, Sample, Sum

_STEP = 500  # rows that are thinned at once
_WRONG = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Table(Generic[R]):
    """A table whose rows begin with `start` and `seconds`."""

    name: str
    columns: str
    from_row: Callable[[tuple[Any, ...]], R]  # raises an error of `_WRONG` where it is damaged
    to_row: Callable[[R], tuple[Any, ...]]

    def between(self, db: sqlite3.Connection, since: float, until: float) -> Iterator[R]:
        """The records that begin in a span of time (UTC seconds), the oldest first."""
        query = f"SELECT {self.columns} FROM {self.name} WHERE start >= ? AND start < ? ORDER BY start"
        for row in db.execute(query, (since, until)):
            record = self.read(row)
            if record is not None:
                yield record

    def add(self, db: sqlite3.Connection, records: Iterable[R]) -> None:
        """In a transaction: store records. One that begins when a stored one does is joined to it."""
        marks = ", ".join("?" * len(self.columns.split(",")))
        for record in records:
            row = db.execute(f"SELECT {self.columns} FROM {self.name} WHERE start = ?", (record.start,)).fetchone()
            before = None if row is None else self.read(row)
            whole = record if before is None else before.joined(record)
            db.execute(f"INSERT OR REPLACE INTO {self.name} VALUES ({marks})", self.to_row(whole))

    def thin(self, db: sqlite3.Connection, now: float) -> None:
        """In a transaction: join old rows, some hundred of each age in one call."""
        query = f"SELECT {self.columns} FROM {self.name} WHERE seconds = ? AND start < ? ORDER BY start LIMIT {_STEP}"
        for length, age, span in AGES:
            rows = db.execute(query, (length, border(now, age, span))).fetchall()
            if rows:
                db.executemany(f"DELETE FROM {self.name} WHERE start = ?", [(row[0],) for row in rows])
                known = [record for row in rows if (record := self.read(row)) is not None]
                self.add(db, thinned(known, span))

    def read(self, row: tuple[Any, ...]) -> R | None:
        """The record of a row; None: it is damaged."""
        try:
            return self.from_row(row)
        except _WRONG:
            return None


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("not a count")
    return value


def _figure(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError("not a figure")
    return float(value)


def _percent(value: Any) -> float | None:
    return None if value is None else _figure(value)


def _sample(row: tuple[Any, ...]) -> Sample:
    start, seconds, low, high, level, queued, load_timeouts, resumes = row
    return Sample(
        _count(start), _count(seconds), _percent(low), _percent(high), _count(level), _count(queued),
        _count(load_timeouts), _count(resumes),
    )  # fmt: skip


def _sample_row(sample: Sample) -> tuple[Any, ...]:
    return (
        sample.start, sample.seconds, sample.memory_low, sample.memory_high, sample.level, sample.queued,
        sample.load_timeouts, sample.resumes,
    )  # fmt: skip


def _sum(row: tuple[Any, ...]) -> Sum:
    start, seconds, ended, audio, service, fallbacks, job_timeouts, waits = row
    return Sum(
        _count(start),
        _count(seconds),
        Counter({State(name): _count(number) for name, number in json.loads(ended).items()}),
        _figure(audio),
        _figure(service),
        _count(fallbacks),
        _count(job_timeouts),
        Counter({int(name): _count(number) for name, number in json.loads(waits).items()}),
    )


def _sum_row(found: Sum) -> tuple[Any, ...]:
    ended = {state: found.ended[state] for state in STATES if found.ended[state]}
    waits = {str(number): count for number, count in sorted(found.waits.items())}
    texts = [json.dumps(each, separators=(",", ":")) for each in (ended, waits)]
    return (
        found.start, found.seconds, texts[0], found.audio, found.service, found.fallbacks, found.job_timeouts, texts[1],
    )  # fmt: skip


SAMPLES = Table[Sample](
    "samples", "start, seconds, memory_low, memory_high, level, queued, load_timeouts, resumes", _sample, _sample_row
)
SUMS = Table[Sum](
    "sums", "start, seconds, ended, audio, service, fallbacks, job_timeouts, waits", _sum, _sum_row
)  # fmt: skip
