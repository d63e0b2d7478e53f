"""How many jobs there are in each state: triggers keep count, so that `status` counts a million jobs in no time."""

from __future__ import annotations

import sqlite3

from sttd.job import State


def counts(db: sqlite3.Connection) -> tuple[dict[State, int], bool]:
    """The jobs in each state, and whether the table of counts is damaged: then they were counted one by one."""
    rows = db.execute("SELECT state, jobs FROM counts").fetchall()
    is_damaged = not all(isinstance(state, str) and isinstance(jobs, int) and jobs >= 0 for state, jobs in rows)
    found = dict(db.execute("SELECT state, count(*) FROM jobs GROUP BY state") if is_damaged else rows)
    return {state: found.get(str(state), 0) for state in State}, is_damaged


def mend(db: sqlite3.Connection) -> None:
    """Count anew, in a transaction."""
    db.execute("DELETE FROM counts")
    db.execute("INSERT INTO counts SELECT state, count(*) FROM jobs GROUP BY state")
