"""What can be asked of the ledger. It needs no right to write; `store` has what changes a job."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttd.errors import NoSuchJob
from sttd.job import Job, State
from sttd.ledger import thinning
from sttd.ledger.connect import told
from sttd.ledger.rows import COLUMNS, from_row

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM jobs"
_LANES = {  # the conditions of the indexes `jobs_fresh` and `jobs_served`
    "fresh": "state = 'queued' AND service = 0 AND copy_of IS NULL",
    "served": "state = 'queued' AND service > 0 AND copy_of IS NULL",
}
_PATHS = 500  # in one question: SQLite before 3.32 takes 999 values


@dataclass(frozen=True, slots=True)
class Request:
    """Something that a command asked the daemon for."""

    kind: str  # retry, cancel, redo, pause, resume
    job: int | None
    arguments: dict[str, Any]


class Questions:
    """Reads jobs. Every method may raise LedgerError: the ledger cannot be read, or is corrupt."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    def find(self, job_id: int) -> Job | None:
        """The job of this number, if there is one."""
        return self._first(f"{_SELECT} WHERE id = ?", (job_id,))

    def get(self, job_id: int) -> Job:
        """The job of this number. Raises NoSuchJob where there is none."""
        job = self.find(job_id)
        if job is None:
            raise NoSuchJob(job_id)
        return job

    def jobs(self, states: Sequence[State] = (), limit: int = -1, newest: bool = True) -> list[Job]:
        marks = ", ".join("?" * len(states))
        where = f" WHERE state IN ({marks})" if states else ""
        order = "DESC" if newest else "ASC"
        return self._all(f"{_SELECT}{where} ORDER BY id {order} LIMIT ?", (*map(str, states), limit))

    def latest(self, source: str) -> Job | None:
        """The newest job about the file of a path below the inbox; not one whose source was filed away, or fetched back."""
        return self.latest_of([source]).get(source)

    def latest_of(self, sources: Sequence[str]) -> dict[str, Job]:
        """The same for many paths, those that have such a job: a hundred thousand new files are two hundred questions."""
        found: dict[str, Job] = {}
        for start in range(0, len(sources), _PATHS):
            paths = [os.fsencode(source) for source in sources[start : start + _PATHS]]
            about = f"location IS NULL AND source IN ({', '.join('?' * len(paths))})"
            newest = f"SELECT max(id) FROM jobs WHERE {about} GROUP BY source"
            found |= {job.source: job for job in self._all(f"{_SELECT} WHERE id IN ({newest})", tuple(paths))}
        return found

    def waiting_owners(self) -> list[int]:
        """The owners (user numbers) of waiting jobs, twins aside. One look-up in an index for each, however many wait."""
        found: set[int] = set()
        for lane, condition in _LANES.items():
            least = f"SELECT min(owner) FROM jobs INDEXED BY jobs_{lane} WHERE {condition}"
            query = f"""
                WITH RECURSIVE owners (owner) AS (
                    {least} UNION ALL SELECT ({least} AND owner > owners.owner) FROM owners WHERE owner IS NOT NULL
                )
                SELECT owner FROM owners WHERE owner IS NOT NULL
            """
            with told(self.path):
                found.update(owner for (owner,) in self._db.execute(query))
        return sorted(found)

    def next_job(self, owner: int, lane: str, now: float, skip: Iterable[int] = ()) -> Job | None:
        """The job of an owner and a lane (see `fairness`) that has waited longest. Its index is named: SQLite would rather
        sort all that wait.
        """
        passed = set(skip)
        where = f"{_LANES[lane]} AND owner = ? AND not_before <= ? ORDER BY queued_at, id LIMIT ?"
        found = self._all(f"{_SELECT} INDEXED BY jobs_{lane} WHERE {where}", (owner, now, len(passed) + 1))
        return next((job for job in found if job.id not in passed), None)

    def same_size(self, job: Job) -> list[Job]:
        """Other jobs of the same size that have a result or come to one now, finished ones first, newest first."""
        found: list[Job] = []
        for state in (State.DONE, State.COMMITTING, State.RUNNING):  # one by one, each is read from the index's end
            query = f"{_SELECT} WHERE size = ? AND state = ? AND id <> ? ORDER BY id DESC LIMIT 50"
            found += self._all(query, (job.size, str(state), job.id))
        return found

    def waiting_for(self, job_id: int) -> list[Job]:
        """Queued twins that wait for the result of a job."""
        return self._all(f"{_SELECT} WHERE copy_of = ? AND state = 'queued'", (job_id,))

    def copies(self) -> list[Job]:
        """Queued twins, each waiting for another job's result."""
        return self._all(f"{_SELECT} INDEXED BY jobs_copies WHERE copy_of IS NOT NULL AND state = 'queued'", ())

    def waiting_sources(self) -> Iterator[str]:
        """The paths below the inbox that jobs wait for or run on; a hundred thousand are no matter."""
        with told(self.path):
            query = "SELECT source FROM jobs WHERE state IN ('queued', 'running') AND location IS NULL"
            for (source,) in self._db.execute(query):
                yield os.fsdecode(source)

    def each(self, states: Sequence[State] = ()) -> Iterator[Job]:
        """All jobs, oldest first, a page at a time: few in memory, and no reader holds up the daemon's WAL."""
        marks = ", ".join("?" * len(states))
        which = f"state IN ({marks}) AND" if states else ""
        last = 0
        while page := self._all(f"{_SELECT} WHERE {which} id > ? ORDER BY id LIMIT 500", (*map(str, states), last)):
            yield from page
            last = page[-1].id

    def unfinished(self) -> list[Job]:
        """Jobs whose files were being moved: filed away, or put into `failed/`."""
        planned = self._all(f"{_SELECT} WHERE plan IS NOT NULL ORDER BY id", ())
        return planned + self._all(f"{_SELECT} WHERE state = 'committing' AND plan IS NULL ORDER BY id", ())

    def only_waits_for(self, causes: Sequence[str]) -> bool:
        """Whether every queued job waits because of one of `causes`."""
        marks = ", ".join("?" * len(causes))
        query = f"SELECT 1 FROM jobs WHERE state = 'queued' AND (cause IS NULL OR cause NOT IN ({marks})) LIMIT 1"
        with told(self.path):
            return self._db.execute(query, tuple(map(str, causes))).fetchone() is None

    def counts(self) -> dict[State, int]:
        with told(self.path):
            found = dict(self._db.execute("SELECT state, jobs FROM counts").fetchall())
        return {state: int(found.get(str(state), 0)) for state in State}

    def forgettable(self, before: float, limit: int) -> list[int]:
        """The jobs that ended first of those that ended before a time and may be forgotten: see `thinning`."""
        with told(self.path):
            return thinning.forgettable(self._db, before, limit)

    def missing(self, jobs: Iterable[int]) -> list[int]:
        """Those numbers that no job has."""
        return [job for job in jobs if self.find(job) is None]

    def needed_sources(self) -> set[str]:
        """Where the sources lie, outside the inbox, that jobs want that have not ended."""
        with told(self.path):
            return thinning.needed_sources(self._db)

    def attempts(self, job_id: int) -> list[dict[str, Any]]:
        names = ("attempt", "started_at", "ended_at", "pid", "model", "cause", "error")
        with told(self.path):
            rows = self._db.execute(
                f"SELECT {', '.join(names)} FROM attempts WHERE job = ? ORDER BY attempt", (job_id,)
            )
            return [dict(zip(names, row, strict=True)) for row in rows]

    def take_requests(self) -> list[tuple[int, Request]]:
        """The requests that wait, oldest first, each with its number for `drop_request`."""
        with told(self.path):
            rows = self._db.execute("SELECT id, kind, job, arguments FROM requests ORDER BY id").fetchall()
        return [(number, Request(kind, job, json.loads(arguments))) for number, kind, job, arguments in rows]

    def changed_elsewhere(self) -> int:
        """A number that changes whenever another connection has written."""
        with told(self.path):
            return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def fact(self, name: str, default: Any = None) -> Any:
        with told(self.path):
            row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    def _all(self, query: str, values: tuple[Any, ...]) -> list[Job]:
        with told(self.path):
            return [from_row(row) for row in self._db.execute(query, values)]

    def _first(self, query: str, values: tuple[Any, ...]) -> Job | None:
        found = self._all(query, values)
        return found[0] if found else None
