"""What retention asks of the ledger: which files are still needed, and which jobs may be forgotten."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection

from sttd.job import ENDED, State

_ENDED = "(" + ", ".join(f"'{state}'" for state in ENDED) + ")"
# whose source cannot lie in the inbox any more; of the others it must be known where it is
_SOURCE_IS_GONE = f"('{State.FAILED}', '{State.VANISHED}')"
_FORGOTTEN = f"""
    WITH live AS (SELECT copy_of, redo_of FROM jobs WHERE state NOT IN {_ENDED}),
    old AS (
        SELECT id, source FROM jobs
        WHERE state IN {_ENDED} AND finished_at < ? AND plan IS NULL
        AND (location IS NOT NULL OR state IN {_SOURCE_IS_GONE})
        AND id NOT IN (SELECT copy_of FROM live WHERE copy_of IS NOT NULL)
        AND id NOT IN (SELECT redo_of FROM live WHERE redo_of IS NOT NULL)
    )
    SELECT id FROM old WHERE EXISTS (SELECT 1 FROM jobs WHERE source = old.source AND id > old.id)
    OR NOT EXISTS (SELECT 1 FROM jobs WHERE source = old.source AND id < old.id AND id NOT IN (SELECT id FROM old))
    ORDER BY id LIMIT ?
"""


def needed_sources(db: sqlite3.Connection) -> set[str]:
    """Where the sources lie, outside the inbox, that jobs want that have not ended."""
    rows = db.execute(f"SELECT location FROM jobs WHERE (plan IS NOT NULL OR state NOT IN {_ENDED}) AND location > x''")
    return {os.fsdecode(row[0]) for row in rows}


def sources_removed(db: sqlite3.Connection, paths: Collection[str]) -> None:
    """Of ended jobs: they cannot be done again."""
    wanted = set(map(os.fsencode, paths))
    rows = db.execute(f"SELECT id, location FROM jobs WHERE location > x'' AND state IN {_ENDED}").fetchall()
    db.executemany("UPDATE jobs SET location = x'' WHERE id = ?", [(number,) for number, at in rows if at in wanted])


def forget(db: sqlite3.Connection, before: float, limit: int) -> list[int]:
    """Remove jobs that ended before a time (UTC seconds), oldest first; returns their numbers.

    One whose source may still lie in the inbox stays, for it would come back as a new job; so does one that a job that
    has not ended is a copy of or does again, and one whose place an older job of the same path, which stays, would take.
    """
    found = db.execute(_FORGOTTEN, (before, limit)).fetchall()
    db.executemany("DELETE FROM attempts WHERE job = ?", found)
    db.executemany("DELETE FROM jobs WHERE id = ?", found)
    return [number for (number,) in found]
