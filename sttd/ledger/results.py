"""The jobs that are done and their results, without the rest of their rows: a hundred thousand are read in a second."""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

from sttd.ledger.rows import texts_of


class Result(NamedTuple):
    """What came of a job."""

    job: int
    source: bytes  # path below the inbox
    created_at: float  # UTC seconds
    language: str | None
    outputs: tuple[str, ...]  # absolute paths


def numbers(db: sqlite3.Connection) -> list[int]:
    """The numbers of all jobs that are done."""
    return [job for (job,) in db.execute("SELECT id FROM jobs INDEXED BY jobs_by_state WHERE state = 'done'")]


def page(db: sqlite3.Connection, after: int, until: int, limit: int) -> list[Result]:
    """The results of done jobs with numbers over `after`, up to `until`, in order. A damaged value gets a default."""
    query = """
        SELECT id, source, created_at, language, outputs FROM jobs INDEXED BY jobs_by_state
        WHERE state = 'done' AND id > ? AND id <= ? ORDER BY id LIMIT ?
    """
    return [_result(*row) for row in db.execute(query, (after, until, limit))]


def _result(job: int, source: Any, created_at: Any, language: Any, outputs: Any) -> Result:
    try:
        paths = texts_of(outputs)
    except (ValueError, TypeError, RecursionError):
        paths = ()
    return Result(
        job,
        source if isinstance(source, bytes) else b"unknown",
        created_at if isinstance(created_at, float) else 0.0,
        language if isinstance(language, str) else None,
        paths,
    )
