"""Waits that the clock made too long: what is stored are times, and the clock may be set back."""

from __future__ import annotations

import sqlite3

SLACK = 5.0  # seconds: a clock that is put right by less is no news
MOST = 10_000  # jobs in one step, a twentieth of a second

_AHEAD = "SELECT id FROM jobs INDEXED BY jobs_by_age WHERE state = 'queued' AND queued_at > ? LIMIT ?"
_FAR = """
    SELECT id FROM jobs INDEXED BY jobs_by_wait WHERE state = 'queued' AND not_before > 0 AND not_before > ? LIMIT ?
"""


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
