"""Waits: `not_before` of a queued job is the time until which it waits; 0: it may start.

What may start is found without a look at what waits. Waits that the clock made too long are cut, for it may be set back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

SLACK = 5.0  # seconds: a clock that is put right by less is no news
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
    """Let no job wait for more than `longest` seconds from `now` (UTC seconds), nor behind all that come until then.

    Returns:
        Whether the clock was set back: a job was queued later than now.
    """
    ahead = db.execute(_AHEAD, (now + SLACK, MOST)).fetchall()
    db.executemany("UPDATE jobs SET queued_at = ? WHERE id = ?", [(now, job) for (job,) in ahead])
    far = db.execute(_FAR, (now + longest, MOST)).fetchall()
    db.executemany("UPDATE jobs SET not_before = ? WHERE id = ?", [(now + longest, job) for (job,) in far])
    return bool(ahead)
