"""Repairs damaged rows: each costs its own job at most, and no query about other jobs fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sttd.job import State
from sttd.ledger.rows import Read, to_row

_OF_SOURCE = frozenset({"source", "size", "mtime_ns", "location", "state"})  # columns that say what a job's source is


def mend(db: sqlite3.Connection, damaged: Sequence[Read], now: float) -> None:
    """Give the damaged columns the values that their rows were read with.

    A job that waits or runs, or whose state was lost, becomes FAILED. One that has ended, or whose results are being put in
    place, keeps its state and goes without the lost values. Each is noted as due for the manifest.
    """
    from sttd.part import Cause  # noqa: PLC0415 - `sttd status` is there sooner without

    for job, columns in damaged:
        changes = {name: getattr(job, name) for name in columns} | {"error": job.error}
        if job.state in (State.QUEUED, State.RUNNING) or "state" in columns:
            # file a source away only if the row surely names the right one
            plan = None if _OF_SOURCE & set(columns) else {"step": "fail"}
            changes |= {"state": State.FAILED, "cause": Cause.ERROR, "finished_at": now, "plan": plan}
        values = to_row(changes)
        marks = ", ".join(f"{name} = ?" for name in values)
        db.execute(f"UPDATE jobs SET {marks} WHERE id = ?", (*values.values(), job.id))
        db.execute("INSERT OR IGNORE INTO unrecorded VALUES (?)", (job.id,))
