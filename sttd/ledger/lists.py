"""Lists of jobs for people: jobs that pass filters, and the queue."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sttd.job import Job, State
from sttd.ledger.connect import translated
from sttd.ledger.questions import SELECT, Questions

# when a job ended, else when its attempt began, else when it came: as `sttd jobs` shows it
_WHEN = "coalesce(finished_at, started_at, created_at)"
# by age alone: which job is next the daemon decides each time, by owner and by lane
# INDEXED BY: otherwise SQLite would sort all queued jobs, perhaps 100,000, each second while somebody looks at the page
_QUEUE = "INDEXED BY jobs_by_age WHERE state = 'queued' ORDER BY queued_at, id LIMIT ?"
# queued jobs that wait for more than their turn
_PUT_OFF = "INDEXED BY jobs_by_wait WHERE state = 'queued' AND not_before > 0 ORDER BY not_before, id LIMIT ?"
_AHEAD = "SELECT count(*), total(size) FROM jobs WHERE state = 'queued' AND (queued_at, id) < (?, ?)"
_PAGE = 500  # jobs


@dataclass(frozen=True, slots=True)
class Which:
    """Filters; a job passes all of them."""

    states: tuple[State, ...] = ()  # none: all
    since: float | None = None  # UTC seconds; see _WHEN
    folder: str = ""  # below the inbox; its subfolders are included
    name: str = ""  # a shell pattern for the source; * matches / too
    before: int | None = None  # only jobs with a smaller number
    after: int | None = None  # only jobs with a larger number

    def where(self) -> tuple[str, tuple[str | bytes | float, ...]]:
        """The condition of a query, "" for all jobs, and its values."""
        conditions: list[str] = []
        values: list[str | bytes | float] = []
        if self.states:
            conditions.append(f"state IN ({', '.join('?' * len(self.states))})")
            values += map(str, self.states)
        if self.since is not None:
            conditions.append(f"{_WHEN} >= ?")
            values.append(self.since)
        if self.folder:
            # "0" comes after "/"
            conditions.append("source >= ? AND source < ?")
            values += (os.fsencode(f"{self.folder}/"), os.fsencode(f"{self.folder}0"))
        if self.name:
            conditions.append("CAST(source AS TEXT) GLOB CAST(? AS TEXT)")
            values.append(os.fsencode(self.name))
        if self.before is not None:
            conditions.append("id < ?")
            values.append(self.before)
        if self.after is not None:
            conditions.append("id > ?")
            values.append(self.after)
        return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), tuple(values)


class Lists(Questions):
    """Every method may raise LedgerError."""

    def listed(self, which: Which, limit: int = -1) -> list[Job]:
        """The newest jobs that pass the filters, newest first."""
        where, values = which.where()
        return self._all(f"{SELECT}{where} ORDER BY id DESC LIMIT ?", (*values, limit))

    def each_listed(self, which: Which) -> Iterator[Job]:
        """All jobs that pass the filters, oldest first, a page at a time."""
        where, values = which.where()
        while page := self._all(f"{SELECT}{where} ORDER BY id LIMIT ?", (*values, _PAGE)):
            yield from page
            where, values = replace(which, after=page[-1].id).where()

    def count_of(self, which: Which) -> int:
        """How many jobs pass the filters."""
        where, values = which.where()
        with translated(self.path):
            return int(self._db.execute(f"SELECT count(*) FROM jobs{where}", values).fetchone()[0])

    def queue(self, limit: int) -> list[Job]:
        """The queued jobs that have waited longest."""
        return self._all(f"{SELECT} {_QUEUE}", (limit,))

    def put_off(self, limit: int) -> list[Job]:
        """The queued jobs that wait for more than their turn, those that are tried next first."""
        return self._all(f"{SELECT} {_PUT_OFF}", (limit,))

    def ahead(self, job: Job) -> tuple[int, float]:
        """How many jobs have waited longer than a queued one, and their bytes."""
        with translated(self.path):
            count, size = self._db.execute(_AHEAD, (job.queued_at, job.id)).fetchone()
        return int(count), float(size)
