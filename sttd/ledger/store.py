"""The ledger on disk: SQLite in WAL mode with `synchronous=FULL`. What it says is what is true.

One connection writes at a time: the daemon's. A command only adds a row to `requests`, or reads. Every
transaction is short, and each step of a job is one.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttd.errors import LedgerError
from sttd.job import Identity, Job, State
from sttd.ledger import thinning
from sttd.ledger.connect import check, connect, connect_readonly, told
from sttd.ledger.manifest import FACTS, Manifest, is_due, to_record
from sttd.ledger.names import MANIFEST
from sttd.ledger.rows import COLUMNS, from_row, to_row

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM jobs"
_MISSING = "there is no ledger at {}: has sttd run with this configuration?"
_LANES = {
    "fresh": "state = 'queued' AND service = 0 AND copy_of IS NULL AND not_before <= ? ORDER BY queued_at, id",
    "served": "state = 'queued' AND service > 0 AND copy_of IS NULL AND not_before <= ? ORDER BY service, id",
}


@dataclass(frozen=True, slots=True)
class Request:
    """Something that a command asked the daemon for."""

    kind: str  # retry, cancel, redo, pause, resume
    job: int | None
    arguments: dict[str, Any]


class Ledger:
    """Reads and writes jobs. Every method may raise LedgerError: disk full, database locked or corrupt."""

    def __init__(self, path: Path, connection: sqlite3.Connection, manifest: Manifest | None = None) -> None:
        self.path = path
        self._db = connection
        self._manifest = manifest
        self._owed = manifest is not None  # jobs wait for their line in the manifest, as far as is known
        self._facts: dict[str, Any] = {}  # that wait for theirs
        self._recorded: list[int] = []  # jobs that have theirs; the next transaction strikes them off

    @classmethod
    def open(cls, path: Path, *, create: bool = True) -> Ledger:
        """For the daemon: created and migrated where needed. A command that leaves a request does not create it.

        Raises:
            LedgerCorrupt: it is damaged, or another program's; see `rebuild`.
            LedgerError: it cannot be opened, or a newer sttd made it.
        """
        if not create and not path.exists():
            raise LedgerError(_MISSING.format(path))
        with told(path):
            db = connect(path)
            try:
                if create:
                    check(db, path)
            except (sqlite3.Error, LedgerError):
                db.close()
                raise
        return cls(path, db, Manifest(path.with_name(MANIFEST)) if create else None)

    @classmethod
    def open_readonly(cls, path: Path) -> Ledger:
        """For a command. It needs no right to write, whether the daemon runs, was killed, or ended well."""
        if not path.exists():
            raise LedgerError(_MISSING.format(path))
        with told(path):
            for wait in (0.01, 0.05, 0.2):  # a daemon that starts or ends makes and removes the WAL file meanwhile
                with contextlib.suppress(sqlite3.OperationalError):
                    return cls(path, connect_readonly(path))
                time.sleep(wait)
            return cls(path, connect_readonly(path))

    def close(self) -> None:
        if self._manifest is not None:
            self._manifest.close()
        with told(self.path):
            self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the steps inside or none. May be nested; the outermost one commits, and the manifest follows."""
        if self._db.in_transaction:
            yield
            return
        with told(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("DELETE FROM unrecorded WHERE job = ?", [(job,) for job in self._recorded])
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        self._recorded = []
        with contextlib.suppress(OSError):  # who asks by `record` is told
            self.record()

    def record(self) -> None:
        """Bring the manifest up to what was committed. Raises OSError: it cannot be written, and is tried again."""
        if self._manifest is None or not self._owed:
            return
        with told(self.path):
            jobs = [job for (job,) in self._db.execute("SELECT job FROM unrecorded ORDER BY job")]
        for start in range(0, len(jobs), 1000):
            self._manifest.append(to_record(self.get(job)) for job in jobs[start : start + 1000])
        if self._facts:
            self._manifest.append({"fact": name, "value": value} for name, value in self._facts.items())
        self._owed, self._facts, self._recorded = False, {}, jobs

    # jobs

    def add(self, source: str, identity: Identity, now: float, **fields: Any) -> Job:
        """A new job, queued."""
        job = Job(0, source, identity.size, identity.mtime_ns, created_at=now, queued_at=now)
        values = to_row({name: getattr(job, name) for name in COLUMNS if name != "id"} | fields)
        marks = ", ".join("?" * len(values))
        with self.transaction():
            cursor = self._db.execute(
                f"INSERT INTO jobs ({', '.join(values)}) VALUES ({marks})",
                tuple(values.values()),
            )
            added = self.get(int(cursor.lastrowid or 0))
            self._note(None, added, ("state",))
            return added

    def get(self, job_id: int) -> Job:
        job = self._first(f"{_SELECT} WHERE id = ?", (job_id,))
        if job is None:
            raise LedgerError(f"there is no job {job_id}: `sttd jobs` lists them")
        return job

    def update(self, job: Job, **changes: Any) -> Job:
        """Store `changes`, if the step exists. Raises ValueError where it does not."""
        after = job.evolve(**changes)
        values = to_row(changes)
        marks = ", ".join(f"{name} = ?" for name in values)
        with self.transaction():
            self._db.execute(f"UPDATE jobs SET {marks} WHERE id = ?", (*values.values(), job.id))
            self._note(job, after, changes)
        return after

    def _note(self, before: Job | None, after: Job, changes: Iterable[str]) -> None:
        """In the transaction of a change: what the manifest must have is not forgotten, whatever comes."""
        if self._manifest is not None and is_due(before, after, changes):
            self._db.execute("INSERT OR IGNORE INTO unrecorded VALUES (?)", (after.id,))
            self._owed = True

    def jobs(self, states: Sequence[State] = (), limit: int = -1, newest: bool = True) -> list[Job]:
        marks = ", ".join("?" * len(states))
        where = f" WHERE state IN ({marks})" if states else ""
        order = "DESC" if newest else "ASC"
        return self._all(f"{_SELECT}{where} ORDER BY id {order} LIMIT ?", (*map(str, states), limit))

    def latest(self, source: str) -> Job | None:
        """The newest job about the file of a path below the inbox; not one whose source was filed away, or fetched back."""
        where = "WHERE source = ? AND location IS NULL ORDER BY id DESC LIMIT 1"
        return self._first(f"{_SELECT} {where}", (os.fsencode(source),))

    def next_job(self, lane: str, now: float, skip: Iterable[int] = ()) -> Job | None:
        """The job of a lane (see `fair`) whose turn it is. Its index is named: SQLite would rather sort all that wait."""
        passed = set(skip)
        query = f"{_SELECT} INDEXED BY jobs_{lane} WHERE {_LANES[lane]} LIMIT ?"
        found = self._all(query, (now, len(passed) + 1))
        return next((job for job in found if job.id not in passed), None)

    def clamp_waits(self, latest: float) -> int:
        """Let no job wait beyond `latest` (UTC seconds): the clock may have been set back since. Returns how many would have."""
        with self.transaction():
            query = "UPDATE jobs SET not_before = ? WHERE state = 'queued' AND not_before > ?"
            return self._db.execute(query, (latest, latest)).rowcount

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

    # retention

    def needed_sources(self) -> set[str]:
        with told(self.path):
            return thinning.needed_sources(self._db)

    def sources_removed(self, paths: Collection[str]) -> None:
        with self.transaction():
            thinning.sources_removed(self._db, paths)

    def forget(self, before: float, limit: int) -> list[int]:
        with self.transaction():
            return thinning.forget(self._db, before, limit)

    # attempts

    def begin_attempt(self, job: Job, now: float) -> None:
        with self.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO attempts (job, attempt, started_at) VALUES (?, ?, ?)",
                (job.id, job.attempt, now),
            )

    def end_attempt(self, job: Job, now: float, cause: str | None, error: str | None, pid: int | None) -> None:
        text = None if error is None else error.encode("utf-8", "backslashreplace").decode()
        with self.transaction():
            self._db.execute(
                "UPDATE attempts SET ended_at = ?, cause = ?, error = ?, pid = ?, model = ? WHERE job = ? AND attempt = ?",
                (now, cause, text, pid, job.model, job.id, job.attempt),
            )

    def attempts(self, job_id: int) -> list[dict[str, Any]]:
        names = ("attempt", "started_at", "ended_at", "pid", "model", "cause", "error")
        with told(self.path):
            rows = self._db.execute(
                f"SELECT {', '.join(names)} FROM attempts WHERE job = ? ORDER BY attempt", (job_id,)
            )
            return [dict(zip(names, row, strict=True)) for row in rows]

    # requests and facts

    def ask(self, kind: str, job: int | None, now: float, **arguments: Any) -> int:
        """For a command: leave a request; returns its number. The daemon acts within a second, or at its next start."""
        with self.transaction():
            cursor = self._db.execute(
                "INSERT INTO requests (kind, job, arguments, created_at) VALUES (?, ?, ?, ?)",
                (kind, job, json.dumps(arguments), now),
            )
            return int(cursor.lastrowid or 0)

    def take_requests(self) -> list[tuple[int, Request]]:
        """The requests that wait, oldest first, each with its number for `drop_request`."""
        with told(self.path):
            rows = self._db.execute("SELECT id, kind, job, arguments FROM requests ORDER BY id").fetchall()
        return [(number, Request(kind, job, json.loads(arguments))) for number, kind, job, arguments in rows]

    def drop_request(self, number: int) -> None:
        with self.transaction():
            self._db.execute("DELETE FROM requests WHERE id = ?", (number,))

    def changed_elsewhere(self) -> int:
        """A number that changes whenever another connection has written."""
        with told(self.path):
            return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def set_fact(self, name: str, value: Any) -> None:
        with self.transaction():
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))
            if self._manifest is not None and name in FACTS:
                self._facts[name], self._owed = value, True

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
