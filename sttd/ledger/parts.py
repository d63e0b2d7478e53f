"""The rows of parts, one for each part of a job whose recording is shared out; and those of attempts.

A job has rows of parts exactly as long as its own row says that it is shared out. A part whose row is damaged or missing
counts as not begun: its checkpoint says how far it is.
"""

from __future__ import annotations

import dataclasses
import math
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from sttd.errors import Stale
from sttd.job import Job, Part, State
from sttd.ledger import history
from sttd.ledger.connect import translated
from sttd.ledger.questions import Questions
from sttd.ledger.rows import BY_TYPE, cause_or_none, text_or_none

COLUMNS = tuple(field.name for field in dataclasses.fields(Part))
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM parts WHERE job = ?"
_PUT = f"INSERT OR REPLACE INTO parts ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_SUMMED: dict[str, type] = {"attempts": int, "resumes": int, "service": float, "chunks": int, "progress": float}
_SUMS = f"SELECT {', '.join(f'total({name})' for name in _SUMMED)} FROM parts WHERE job = ?"
_WAITING = "SELECT count(*) FROM parts WHERE job = ? AND state = 'queued'"
_OWN_WAY: dict[str, Callable[[Any], Any]] = {"state": State, "cause": cause_or_none}
_FROM_ROW = {field.name: _OWN_WAY.get(field.name) or BY_TYPE[str(field.type)] for field in dataclasses.fields(Part)}
# what a job has spent before it is shared out counts as spent on its first part
_OF_FIRST = ("attempts", "resumes", "service", "chunks", "progress", "cause")


class Parts(Questions):
    """Every method may raise LedgerError."""

    def transaction(self) -> AbstractContextManager[None]:
        """See `Ledger`."""
        raise NotImplementedError

    def parts(self, job: Job) -> list[Part]:
        """The parts of a job, in the order of the recording; none if it is not shared out."""
        if job.shared is None:
            return []
        with translated(self.path):
            rows = self._db.execute(f"{_SELECT} ORDER BY number", (job.id,)).fetchall()
        known = {part.number: part for row in rows if (part := _from_row(row)) is not None}
        lost = [_new(job, number) for number in range(job.shared.parts) if number not in known]
        if lost and self._may_mend():
            with self.transaction():
                self._db.executemany(_PUT, map(_to_row, lost))
        known |= {part.number: part for part in lost}
        return [known[number] for number in range(job.shared.parts)]

    def update_part(self, part: Part, **changes: Any) -> Part:
        """Store `changes` if the row still has the state and the attempt of `part`. Returns the row as it is then.

        Raises:
            Stale: the row has changed meanwhile, or is gone; nothing is stored.
        """
        after = dataclasses.replace(part, **changes)
        marks = ", ".join(f"{name} = ?" for name in changes)
        step = f"UPDATE parts SET {marks} WHERE job = ? AND number = ? AND state = ? AND attempt = ?"
        expected = (part.job, part.number, str(part.state), part.attempt)
        values = dict(zip(COLUMNS, _to_row(after), strict=True))
        with self.transaction():
            if self._db.execute(step, (*(values[name] for name in changes), *expected)).rowcount != 1:
                raise Stale(
                    f"part {part.number} of job {part.job} is not {part.state}, attempt {part.attempt}, any more"
                )
            row = self._db.execute(f"{_SELECT} AND number = ?", (part.job, part.number)).fetchone()
        return _from_row(row) or after

    def sums(self, job: Job) -> dict[str, Any]:
        """The figures of a job that are sums over its parts. SQLite adds them up, because this runs every second."""
        with translated(self.path):
            found = self._db.execute(_SUMS, (job.id,)).fetchone()
            if not all(map(math.isfinite, found)):
                self.parts(job)  # reading the rows repairs the damaged ones
                found = self._db.execute(_SUMS, (job.id,)).fetchone()
        return {name: kind(value) for (name, kind), value in zip(_SUMMED.items(), found, strict=True)}

    def waiting_parts(self, job: Job) -> int:
        """How many parts of a job are queued: not done, and with no worker."""
        with translated(self.path):
            return int(self._db.execute(_WAITING, (job.id,)).fetchone()[0])

    def reopen_parts(self, job: Job) -> None:
        """Let every part that is not done begin at once, with all its attempts again."""
        step = """
            UPDATE parts SET attempts = 0, not_before = 0, cause = NULL, error = NULL,
            state = CASE state WHEN 'done' THEN 'done' ELSE 'queued' END WHERE job = ?
        """
        with self.transaction():
            self._db.execute(step, (job.id,))

    def hurry_parts(self, job: Job) -> None:
        """End the waits of all parts for their next try."""
        with self.transaction():
            self._db.execute("UPDATE parts SET not_before = 0 WHERE job = ?", (job.id,))

    def begin_attempt(self, job: Job, now: float, part: int = 0) -> None:
        with self.transaction():
            history.begin(self._db, job, now, part)

    def end_attempt(
        self,
        job: Job,
        now: float,
        cause: str | None,
        error: str | None,
        pid: int | None,
        *,
        attempt: int | None = None,
        worker: str | None = None,
    ) -> None:
        """Note how an attempt went: the latest one of `job`, unless another is named. `worker`: its name, on another machine."""
        number = job.attempt if attempt is None else attempt
        found = {"ended_at": now, "cause": cause, "error": text_or_none(error), "pid": pid, "worker": worker}
        with self.transaction():
            history.end(self._db, job, number, **found, model=job.model)

    def _follow(self, job: Job, changes: Iterable[str]) -> None:
        """In the transaction that changes a job: make or remove its parts, or queue running ones when the job runs no more."""
        if "shared" in changes:
            share_out(self._db, job)
        elif "state" in changes and job.shared is not None and job.state is not State.RUNNING:
            self._db.execute("UPDATE parts SET state = 'queued' WHERE job = ? AND state = 'running'", (job.id,))

    def _may_mend(self) -> bool:
        """Whether to repair damaged rows: a reader cannot."""
        return False


def share_out(db: sqlite3.Connection, job: Job) -> None:
    """In a transaction: replace the rows of a job's parts by those that it needs as it is now."""
    db.execute("DELETE FROM parts WHERE job = ?", (job.id,))
    if job.shared is not None:
        first = dataclasses.replace(
            _new(job, 0), state=State.RUNNING if job.state is State.RUNNING else State.QUEUED, attempt=job.attempt,
            begins=0.0, **{name: getattr(job, name) for name in _OF_FIRST},
        )  # fmt: skip
        parts = [first, *(_new(job, number) for number in range(1, job.shared.parts))]
        db.executemany(_PUT, map(_to_row, parts))


def _new(job: Job, number: int) -> Part:
    return Part(job=job.id, number=number, batch_size=job.batch_size, device=job.device)


def _to_row(part: Part) -> tuple[Any, ...]:
    values = {name: getattr(part, name) for name in COLUMNS}
    values |= {"state": str(part.state), "error": text_or_none(part.error)}
    return tuple(values.values())


def _from_row(row: tuple[Any, ...]) -> Part | None:
    """The part of a row; None: a value in it is impossible."""
    try:
        return Part(**{name: _FROM_ROW[name](value) for name, value in zip(COLUMNS, row, strict=True)})
    except (ValueError, TypeError):
        return None
