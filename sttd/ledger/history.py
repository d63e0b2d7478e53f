"""How the attempts at each job went: one row for each, in the order of their numbers."""

from __future__ import annotations

import sqlite3
from typing import Any

from sttd.job import Job

_SHOWN = ("attempt", "started_at", "ended_at", "pid", "model", "cause", "error", "part", "worker")


def of(db: sqlite3.Connection, job_id: int) -> list[dict[str, Any]]:
    """All attempts at a job. `cause` is None for one that ended with a transcript, or has not ended."""
    query = f"SELECT {', '.join(_SHOWN)} FROM attempts WHERE job = ? ORDER BY attempt"
    return [dict(zip(_SHOWN, row, strict=True)) for row in db.execute(query, (job_id,))]


def begin(db: sqlite3.Connection, job: Job, now: float, part: int) -> None:
    """In a transaction: the latest attempt of `job` begins, at one of its parts."""
    step = "INSERT OR REPLACE INTO attempts (job, attempt, started_at, part) VALUES (?, ?, ?, ?)"
    db.execute(step, (job.id, job.attempt, now, part))


def end(db: sqlite3.Connection, job: Job, attempt: int, **found: Any) -> None:
    """In a transaction: an attempt has ended. `found`: columns of its row."""
    marks = ", ".join(f"{name} = ?" for name in found)
    step = f"UPDATE attempts SET {marks} WHERE job = ? AND attempt = ?"
    db.execute(step, (*found.values(), job.id, attempt))
