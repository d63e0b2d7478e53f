"""Finds the distinct values in an index by a jump from each to the next. SQLite's DISTINCT would read every row."""

from __future__ import annotations

import sqlite3

# The indexes are named: otherwise SQLite would look at every waiting job in each step
_NEXT_ORIGINAL = """
    SELECT min(copy_of) FROM jobs INDEXED BY jobs_twins WHERE copy_of IS NOT NULL AND state = 'queued' AND copy_of >
"""
_ORIGINALS = f"""
    WITH RECURSIVE originals (id) AS (
        {_NEXT_ORIGINAL} :after
        UNION ALL SELECT ({_NEXT_ORIGINAL} originals.id) FROM originals WHERE originals.id IS NOT NULL LIMIT :limit
    )
    SELECT id FROM originals WHERE id IS NOT NULL
"""
_NEXT_CAUSE = "SELECT min(cause) FROM jobs INDEXED BY jobs_by_cause WHERE state = 'queued' AND cause"
_CAUSES = f"""
    WITH RECURSIVE causes (cause) AS (
        {_NEXT_CAUSE} IS NOT NULL
        UNION ALL SELECT ({_NEXT_CAUSE} > causes.cause) FROM causes WHERE causes.cause IS NOT NULL
    )
    SELECT cause FROM causes WHERE cause IS NOT NULL
"""
_NO_CAUSE = "SELECT 1 FROM jobs INDEXED BY jobs_by_cause WHERE state = 'queued' AND cause IS NULL LIMIT 1"


def originals(db: sqlite3.Connection, after: int, limit: int) -> list[int]:
    """The numbers, over `after`, of jobs that twins wait for; in order."""
    return [number for (number,) in db.execute(_ORIGINALS, {"after": after, "limit": limit})]


def causes(db: sqlite3.Connection) -> set[str | None]:
    """The causes for which queued jobs wait; None is one of them if a job waits only for its turn."""
    found: set[str | None] = {cause for (cause,) in db.execute(_CAUSES)}
    return found if db.execute(_NO_CAUSE).fetchone() is None else found | {None}
