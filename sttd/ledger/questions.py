"""Queries of the ledger. They need no right to write; `store` has the methods that change a job."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sttd.errors import NoSuchJob
from sttd.job import Job, State
from sttd.ledger import facts, history, results, tally, thinning, walks
from sttd.ledger.connect import translated
from sttd.ledger.facts import Fact, T
from sttd.ledger.request import Answer
from sttd.ledger.results import Result
from sttd.ledger.rows import COLUMNS, Read, from_row, path_of
from sttd.ledger.waits import QUEUES

SELECT = f"SELECT {', '.join(COLUMNS)} FROM jobs"
# other jobs of the same size and options that have a result, or are being worked on
_PEERS = "size = ? AND options_key = ? AND id <> ? AND state IN ('done', 'committing', 'running')"
LARGEST = 2**63 - 1  # SQLite's largest integer
_ODD = 100  # damaged rows in one question
_PATHS = 500  # in one question: SQLite before 3.32 takes 999 values


class Questions:
    """Reads jobs. Every method may raise LedgerError: the ledger cannot be read, or is corrupt."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    def find(self, job_id: int) -> Job | None:
        """The job of this number, if there is one. `job_id` may be anything: it may come from a damaged row."""
        if isinstance(job_id, int) and job_id > LARGEST:  # a person may type it, and SQLite takes no larger number
            return None
        return self._first(f"{SELECT} WHERE id = ?", (job_id,))

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
        return self._all(f"{SELECT}{where} ORDER BY id {order} LIMIT ?", (*map(str, states), limit))

    def page(self, state: State, after: int, limit: int) -> list[Job]:
        """Jobs in a state with numbers over `after`, oldest first."""
        return self._all(f"{SELECT} WHERE state = ? AND id > ? ORDER BY id LIMIT ?", (str(state), after, limit))

    def latest(self, source: str) -> Job | None:
        """The newest job of a path below the inbox whose source is still there (location IS NULL)."""
        return self.latest_of([source]).get(source)

    def latest_of(self, sources: Sequence[str]) -> dict[str, Job]:
        """The newest such job of each path that has one, by path: a hundred thousand new files take two hundred queries."""
        found: dict[str, Job] = {}
        for start in range(0, len(sources), _PATHS):
            paths = [os.fsencode(source) for source in sources[start : start + _PATHS]]
            about = f"location IS NULL AND source IN ({', '.join('?' * len(paths))})"
            newest = f"SELECT max(id) FROM jobs WHERE {about} GROUP BY source"
            found |= {job.source: job for job in self._all(f"{SELECT} WHERE id IN ({newest})", tuple(paths))}
        return found

    def waiting_owners(self) -> list[int]:
        """The owners (user ids) of jobs that may start, except twins. One index look-up for each, however many jobs there are."""
        found: set[int] = set()
        for queue, condition in QUEUES.items():
            least = f"SELECT min(owner) FROM jobs INDEXED BY jobs_{queue} WHERE {condition}"
            query = f"""
                WITH RECURSIVE owners (owner) AS (
                    {least} UNION ALL SELECT ({least} AND owner > owners.owner) FROM owners WHERE owner IS NOT NULL
                )
                SELECT owner FROM owners WHERE owner IS NOT NULL
            """
            with translated(self.path):
                found.update(owner for (owner,) in self._db.execute(query))
        for owner in (each for each in found if not isinstance(each, int)):
            self._all(f"{SELECT} WHERE state = 'queued' AND owner = ? LIMIT ?", (owner, _ODD))  # repairs the rows
        return sorted(owner for owner in found if isinstance(owner, int))

    def odd_states(self) -> list[Job]:
        """Some of the jobs whose state does not exist: no other query finds them."""
        with translated(self.path):
            states = [state for (state,) in self._db.execute("SELECT state FROM counts WHERE jobs > 0")]
        odd = [state for state in states if state not in set(State)]
        return [job for state in odd for job in self._all(f"{SELECT} WHERE state = ? LIMIT ?", (state, _ODD))]

    def next_job(self, owner: int, queue: str, skip: Collection[int] = ()) -> Job | None:
        """The next job of an owner in a queue; not one of `skip`, which are few."""
        found = self.next_jobs(owner, queue, len(skip) + 1)
        return next((job for job in found if job.id not in skip), None)

    def next_jobs(self, owner: int, queue: str, limit: int) -> list[Job]:
        """The jobs of an owner in a queue (see `fairness`), the longest wait first. Jobs whose wait the ledger has not ended
        yet (`end_waits`) are left out. The index is named: otherwise SQLite would sort all waiting jobs.
        """
        where = f"{QUEUES[queue]} AND owner = ? ORDER BY queued_at, id LIMIT ?"
        return self._all(f"{SELECT} INDEXED BY jobs_{queue} WHERE {where}", (owner, limit))

    # jobs with the same content: `key` is the options_key that both must have

    def has_peers(self, job: Job, key: str) -> bool:
        """Whether another job of the same size and options has a result, or is being worked on."""
        query = f"SELECT 1 FROM jobs WHERE {_PEERS} LIMIT 1"
        with translated(self.path):
            return self._db.execute(query, (job.size, key, job.id)).fetchone() is not None

    def unhashed_peers(self, job: Job, key: str, limit: int) -> list[Job]:
        """Such jobs that are being worked on, and whose hash is not known yet."""
        where = f"{_PEERS} AND state <> 'done' AND sha256 IS NULL LIMIT ?"
        return self._all(f"{SELECT} WHERE {where}", (job.size, key, job.id, limit))

    def twin(self, job: Job, key: str) -> Job | None:
        """Such a job with the same hash and without the fallback model; a done one, if any."""
        where = "size = ? AND options_key = ? AND state = ? AND sha256 = ? AND id <> ? AND coalesce(fallback_reason, '') = ''"
        for state in (State.DONE, State.COMMITTING, State.RUNNING):
            found = self._first(f"{SELECT} WHERE {where} LIMIT 1", (job.size, key, str(state), job.sha256, job.id))
            if found is not None:
                return found
        return None

    def waiting_for(self, job_id: int, limit: int = -1) -> list[Job]:
        """Queued twins that wait for the result of a job."""
        return self._all(f"{SELECT} WHERE copy_of = ? AND state = 'queued' ORDER BY id LIMIT ?", (job_id, limit))

    def originals(self, after: int, limit: int) -> list[int]:
        """The numbers, over `after`, of jobs that twins wait for; in order."""
        with translated(self.path):
            return walks.originals(self._db, after, limit)

    def filed(self, after: float, until: float, limit: int) -> list[Job]:
        """Jobs that ended between two times (UTC seconds) and whose source was filed away; the newest of each file."""
        return self._all(
            f"""
            {SELECT} INDEXED BY jobs_ended WHERE finished_at > ? AND finished_at <= ? AND finished_at IS NOT NULL
            AND location IS NOT NULL AND location > x'' AND state IN ('done', 'failed') AND plan IS NULL
            AND NOT EXISTS (SELECT 1 FROM jobs AS newer WHERE newer.location = jobs.location AND newer.id > jobs.id)
            ORDER BY finished_at, id LIMIT ?
            """,
            (after, until, limit),
        )

    def is_newest_at(self, job: Job) -> bool:
        """Whether no newer job is about the file at the job's `location`."""
        query = "SELECT 1 FROM jobs WHERE location = ? AND id > ? LIMIT 1"
        with translated(self.path):
            return self._db.execute(query, (os.fsencode(job.location or ""), job.id)).fetchone() is None

    def looked_for(self) -> list[str]:
        """Sources below the inbox that a worker did not find."""
        query = "SELECT source FROM jobs WHERE state = 'queued' AND cause = 'gone' AND location IS NULL"
        return list(self._paths(query))

    def waiting_sources(self) -> Iterator[str]:
        """The paths below the inbox of jobs that wait or run, one by one: there may be a hundred thousand."""
        return self._paths("SELECT source FROM jobs WHERE state IN ('queued', 'running') AND location IS NULL")

    def each(self, states: Sequence[State] = ()) -> Iterator[Job]:
        """All jobs, oldest first, a page at a time: few are in memory, and no long read keeps the daemon's WAL growing."""
        marks = ", ".join("?" * len(states))
        which = f"state IN ({marks}) AND" if states else ""
        last = 0
        while page := self._all(f"{SELECT} WHERE {which} id > ? ORDER BY id LIMIT 500", (*map(str, states), last)):
            yield from page
            last = page[-1].id

    def done(self) -> list[int]:
        """The numbers of all jobs that are done."""
        with translated(self.path):
            return results.numbers(self._db)

    def results(self, after: int, until: int = 2**63 - 1, limit: int = -1) -> list[Result]:
        """The results of done jobs with numbers over `after`, up to `until`."""
        with translated(self.path):
            return results.page(self._db, after, until, limit)

    def planned(self, after: int = 0, limit: int = -1) -> list[int]:
        """The numbers, over `after`, of jobs whose files are to be moved; oldest first."""
        # in other states a plan is damage, and means nothing
        which = ("INDEXED BY jobs_planned WHERE plan IS NOT NULL AND state = 'failed'", "WHERE state = 'committing'")
        query = " UNION ".join(f"SELECT id FROM jobs {each} AND id > :after" for each in which)
        with translated(self.path):
            rows = self._db.execute(f"{query} ORDER BY id LIMIT :limit", {"after": after, "limit": limit})
            return [number for (number,) in rows]

    def is_planned(self, job_id: int) -> bool:
        """Whether the files of a job are to be moved."""
        query = "SELECT 1 FROM jobs WHERE id = ? AND (plan IS NOT NULL OR state = 'committing')"
        with translated(self.path):
            return self._db.execute(query, (job_id,)).fetchone() is not None

    def abroad(self) -> list[Job]:
        """Jobs that are to be transcribed, or whose files are to be moved, and whose source is not in the inbox."""
        wait = "state IN ('queued', 'running') AND location > x''"
        waiting = self._all(f"{SELECT} INDEXED BY jobs_by_state WHERE {wait}", ())
        return [*waiting, *(job for job in self.unfinished() if job.location)]

    def unfinished(self) -> list[Job]:
        """The jobs that `planned` lists."""
        return [job for number in self.planned() if (job := self.find(number)) is not None]

    def only_waits_for(self, causes: Sequence[str]) -> bool:
        """Whether every queued job waits because of one of `causes`."""
        with translated(self.path):
            return walks.causes(self._db) <= set(map(str, causes))

    def counts(self) -> dict[State, int]:
        """How many jobs there are in each state."""
        with translated(self.path):
            found, is_damaged = tally.counts(self._db)
        if is_damaged:
            self._mend_counts()
        return found

    def forgettable(self, before: float, limit: int) -> list[int]:
        """Jobs that may be forgotten: see `thinning`."""
        with translated(self.path):
            return thinning.forgettable(self._db, before, limit)

    def missing(self, jobs: Iterable[int]) -> list[int]:
        """The numbers that no job has."""
        return [job for job in jobs if self.find(job) is None]

    def needed_sources(self) -> set[str]:
        """The paths, outside the inbox, of sources that jobs still need."""
        with translated(self.path):
            return thinning.needed_sources(self._db)

    def attempts(self, job_id: int) -> list[dict[str, Any]]:
        with translated(self.path):
            return history.of(self._db, job_id)

    def answer(self, request: str) -> Answer | None:
        """What came of a request; None where the daemon has not seen it, or it was long ago."""
        with translated(self.path):
            query = "SELECT ok, text, jobs, last FROM answers WHERE request = ?"
            row = self._db.execute(query, (request,)).fetchone()
        return None if row is None else Answer(None if row[0] is None else bool(row[0]), *row[1:])

    def fact(self, fact: Fact[T]) -> T:
        """The value of a fact: of the right shape, whatever is stored."""
        with translated(self.path):
            value, damage = facts.read(self._db, fact)
        if damage is not None:
            self._mend_fact(fact, damage)
        return value

    def _paths(self, query: str) -> Iterator[str]:
        with translated(self.path):
            for (path,) in self._db.execute(query):
                with contextlib.suppress(ValueError):  # a damaged row: it fails when its turn comes
                    yield path_of(path)

    def _all(self, query: str, values: tuple[Any, ...]) -> list[Job]:
        """The jobs that a query finds. If this ledger may write, damaged rows are repaired first."""
        found = self._rows(query, values)
        damaged = [(job, columns) for job, columns in found if columns]
        if damaged and self._mend(damaged):
            found = [(job, columns) for job, columns in self._rows(query, values) if not columns]
        return [job for job, _ in found]

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[Read]:
        """The jobs, as their rows say, each with its damaged columns."""
        with translated(self.path):
            return [from_row(row) for row in self._db.execute(query, values)]

    def _mend(self, _damaged: Sequence[Read]) -> bool:
        """Repair damaged rows. Returns whether that was done: a reader cannot."""
        return False

    def _mend_counts(self) -> None:
        """A reader cannot, and counts again each time."""

    def _mend_fact(self, _fact: Fact[Any], _damage: str) -> None:
        """A reader cannot, and uses `Fact.damaged`."""

    def _first(self, query: str, values: tuple[Any, ...]) -> Job | None:
        found = self._all(query, values)
        return found[0] if found else None
