"""What retention asks of the ledger: which files are still needed, and which jobs may be forgotten.

`forgettable` and `needed_sources` take time with a million jobs: they run off the loop, with a connection that only reads.
The functions that change something take few jobs or files at once, and check each again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence

from sttd.job import ENDED, State
from sttd.ledger.past.forgotten import sum_up

_ENDED = "(" + ", ".join(f"'{state}'" for state in ENDED) + ")"
_NOT_ENDED = "(" + ", ".join(f"'{state}'" for state in State if state not in ENDED) + ")"
# from the condition of the index: states in which the source has mostly left the inbox. Others need a location
_MOSTLY_GONE = f"('{State.FAILED}', '{State.VANISHED}')"


def _may_go(row: str) -> str:
    """The condition that nothing needs the job of `row` any more. Its terms are those of the index `jobs_ended`.

    A recording that failed and has no location was left in the inbox: forgotten, it would be tried again.
    """
    return f"""
        {row}.finished_at IS NOT NULL AND ({row}.location IS NOT NULL OR {row}.state IN {_MOSTLY_GONE})
        AND NOT ({row}.location IS NULL AND {row}.state = '{State.FAILED}')
        AND {row}.finished_at < :before AND {row}.state IN {_ENDED} AND {row}.plan IS NULL
        AND NOT EXISTS (SELECT 1 FROM jobs WHERE copy_of = {row}.id AND state NOT IN {_ENDED})
        AND NOT EXISTS (SELECT 1 FROM jobs WHERE redo_of = {row}.id AND state NOT IN {_ENDED})
    """


# without the newest job of a path, an older one that stays would count as the newest
_FORGETTABLE = f"""
    {_may_go("old")} AND (
        EXISTS (SELECT 1 FROM jobs WHERE source = old.source AND id > old.id)
        OR NOT EXISTS (
            SELECT 1 FROM jobs AS older WHERE older.source = old.source AND older.id < old.id
            AND NOT ({_may_go("older")})
        )
    )
"""


def forgettable(db: sqlite3.Connection, before: float, limit: int) -> list[int]:
    """Jobs that ended before a time (UTC seconds) and may be forgotten; those that ended first come first.

    These stay: a job whose source may still lie in the inbox (it would come back as a new job); one that an unfinished job
    copies or does again; and the newest one of a path of which an older one stays (that would count as the newest).
    """
    query = (
        f"SELECT id FROM jobs AS old INDEXED BY jobs_ended WHERE {_FORGETTABLE} ORDER BY finished_at, id LIMIT :limit"
    )
    return [number for (number,) in db.execute(query, {"before": before, "limit": limit})]


def forget(db: sqlite3.Connection, before: float, jobs: Sequence[int]) -> list[int]:
    """Remove those of `jobs` that may still be forgotten; returns them. Each is noted as due for the manifest."""
    query = f"SELECT id FROM jobs AS old WHERE id = :job AND {_FORGETTABLE}"
    forgotten = []
    for job in sorted(jobs):  # the older ones of a path first
        if db.execute(query, {"job": job, "before": before}).fetchone() is None:
            continue
        sum_up(db, [job])
        db.execute("DELETE FROM attempts WHERE job = ?", (job,))
        db.execute("DELETE FROM parts WHERE job = ?", (job,))
        db.execute("DELETE FROM jobs WHERE id = ?", (job,))
        db.execute("INSERT OR IGNORE INTO unrecorded VALUES (?)", (job,))
        forgotten.append(job)
    return forgotten


def needed_sources(db: sqlite3.Connection) -> set[str]:
    """The paths, outside the inbox, of sources that jobs still need: unfinished ones, or ones with a plan."""
    query = f"""
        SELECT location FROM jobs INDEXED BY jobs_by_state WHERE state IN {_NOT_ENDED} AND location > x''
        UNION ALL SELECT location FROM jobs INDEXED BY jobs_planned WHERE plan IS NOT NULL AND location > x''
    """
    return {os.fsdecode(location) for (location,) in db.execute(query)}


def give_up_sources(db: sqlite3.Connection, paths: Sequence[str]) -> list[str]:
    """Before files are removed: note that those that no job needs are gone, so that nobody redoes their jobs; return them."""
    needed = f"SELECT 1 FROM jobs WHERE location = ? AND (plan IS NOT NULL OR state NOT IN {_ENDED})"
    free = [path for path in paths if db.execute(needed, (os.fsencode(path),)).fetchone() is None]
    gone = f"UPDATE jobs SET location = x'' WHERE location = ? AND state IN {_ENDED}"
    db.executemany(gone, [(os.fsencode(path),) for path in free])
    return free
