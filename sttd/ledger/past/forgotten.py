"""Counts how jobs ended before they are forgotten: the sums stay, the names do not."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from sttd.job import ENDED, State
from sttd.ledger.past.ageing import thinned
from sttd.ledger.past.records import HOUR, Sum, bucket
from sttd.ledger.past.tables import SUMS

_LATEST = 2.0**40  # UTC seconds; a damaged row may say anything


def sum_up(db: sqlite3.Connection, jobs: Iterable[int]) -> None:
    """In the transaction that removes `jobs`, before it does: add them to the sums of the hours in which they ended."""
    found = [record for job in jobs for record in (*_ends(db, job), *_timeouts(db, job))]
    SUMS.add(db, thinned(found, HOUR))


def _ends(db: sqlite3.Connection, job: int) -> Iterator[Sum]:
    query = "SELECT state, finished_at, created_at, audio_seconds, service, fallback_reason FROM jobs WHERE id = ?"
    for state, finished, created, audio, service, fallback in db.execute(query, (job,)):
        if state not in ENDED or not _is_figure(finished):
            continue
        if state != State.DONE:
            yield Sum(int(finished), 0, Counter({State(state): 1}))
            continue
        yield Sum(
            int(finished),
            0,
            Counter({State.DONE: 1}),
            audio=audio if _is_figure(audio) else 0.0,
            service=service if _is_figure(service) else 0.0,
            fallbacks=int(fallback is not None),
            waits=Counter({bucket(finished - created): 1}) if _is_figure(created) else Counter(),
        )


def _timeouts(db: sqlite3.Connection, job: int) -> Iterator[Sum]:
    for (ended,) in db.execute("SELECT ended_at FROM attempts WHERE job = ? AND cause = 'timeout'", (job,)):
        if _is_figure(ended):
            yield Sum(int(ended), 0, job_timeouts=1)


def _is_figure(value: Any) -> bool:
    return isinstance(value, float) and 0 <= value < _LATEST
