"""The deliveries about one job, for `sttd show`, if there is a notifier's file and this user may read it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from sttd.job import Job
from sttd.notify import place

_QUERY = """
    SELECT event, receiver, CASE state WHEN 'begun' THEN 'waiting' ELSE state END AS state, tries, deliveries.at, error
    FROM notices JOIN deliveries ON deliveries.notice = notices.id WHERE job = ? AND word GLOB ? ORDER BY notices.id, receiver
"""


def of_job(state: Path, job: Job) -> list[dict[str, Any]]:
    """Each delivery, oldest first; empty if nothing is known. `state`: the daemon's state folder."""
    address = f"{(place.folder(state) / place.NAME).absolute().as_uri()}?mode=ro"
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(address, uri=True, timeout=10)) as db,
    ):
        cursor = db.execute(_QUERY, (job.id, f"{place.word(job.id, job.created_at)}-*"))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]
    return []
