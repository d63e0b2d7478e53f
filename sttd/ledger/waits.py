"""Waits: `not_before` of a queued job is the time until which it waits; 0: it may start.

Jobs that may start are found without a look at those that wait. Waits that are too long are cut: the clock may be set back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

QUEUES = {  # the conditions of the indexes `jobs_fresh` and `jobs_served`: what may start
    "fresh": "state = 'queued' AND service <= 0 AND copy_of IS NULL AND not_before <= 0",
    "served": "state = 'queued' AND service > 0 AND copy_of IS NULL AND not_before <= 0",
}
SLACK = 5.0  # seconds: smaller corrections of the clock are ignored
MOST = 10_000  # jobs in one step, a twentieth of a second

_AHEAD = "SELECT id FROM jobs INDEXED BY jobs_by_age WHERE state = 'queued' AND queued_at > ? LIMIT ?"
_FAR = """
    SELECT id FROM jobs INDEXED BY jobs_by_wait WHERE state = 'queued' AND not_before > 0 AND not_before > ? LIMIT ?
"""
_OVER = """
    SELECT id FROM jobs INDEXED BY jobs_by_wait
    WHERE state = 'queued' AND not_before > 0 AND not_before <= ? ORDER BY not_before LIMIT ?
"""


def over(db: sqlite3.Connection, now: float) -> list[int]:
    """The queued jobs whose wait is over, those that waited for the earliest time first; some thousand at once."""
    return [job for (job,) in db.execute(_OVER, (now, MOST))]


def end(db: sqlite3.Connection, jobs: Sequence[int]) -> None:
    """Let them start."""
    db.executemany("UPDATE jobs SET not_before = 0 WHERE id = ?", [(job,) for job in jobs])


def clamp(db: sqlite3.Connection, now: float, longest: float) -> bool:
    """Let no job wait for more than `longest` seconds from `now` (UTC seconds). One queued in the future counts as queued now.

    Returns:
        Whether the clock was set back: a job was queued later than now.
    """
    ahead = db.execute(_AHEAD, (now + SLACK, MOST)).fetchall()
    db.executemany("UPDATE jobs SET queued_at = ? WHERE id = ?", [(now, job) for (job,) in ahead])
    far = db.execute(_FAR, (now + longest, MOST)).fetchall()
    db.executemany("UPDATE jobs SET not_before = ? WHERE id = ?", [(now + longest, job) for (job,) in far])
    db.execute("UPDATE parts SET not_before = ? WHERE not_before > ?", (now + longest, now + longest))
    return bool(ahead)


def postpone(
    db: sqlite3.Connection, which: tuple[str, tuple[bytes, ...]], until: float, *, why: str, cause: str
) -> None:
    """Make some hundred of the jobs of `which` (see `moved`) that could start now wait until `until`."""
    condition, values = which
    for queue, may_start in QUEUES.items():  # the index is named: otherwise SQLite would look at those already put off
        found = f"SELECT id FROM jobs INDEXED BY jobs_{queue} WHERE {may_start} AND {condition} LIMIT 500"
        step = f"UPDATE jobs SET not_before = ?, error = ?, cause = ? WHERE id IN ({found})"
        db.execute(step, (until, why.encode("utf-8", "backslashreplace").decode(), cause, *values))
