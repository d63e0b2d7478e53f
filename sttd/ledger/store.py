"""The ledger on disk: SQLite in WAL mode with `synchronous=FULL`. What it says is what is true.

Only the daemon writes it, over one connection; commands read it, and ask by files (see `spool`). Every transaction is
short, and each step of a job is one.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from sttd.errors import LedgerError, Stale
from sttd.job import Identity, Job
from sttd.ledger import moved, tally, thinning, waits
from sttd.ledger.connect import alone, check, connect, connect_readonly, translated
from sttd.ledger.facts import FORGOTTEN, Fact, T
from sttd.ledger.gauges import Gauges
from sttd.ledger.holds import Holds
from sttd.ledger.kept import SELECT
from sttd.ledger.manifest.log import Manifest, is_due, to_record, tombstone
from sttd.ledger.mending import mend
from sttd.ledger.names import MANIFEST
from sttd.ledger.parts import Parts
from sttd.ledger.past.keeping import Remembered
from sttd.ledger.request import Answer
from sttd.ledger.rows import NEW, Read, text_or_none, to_row
from sttd.ledger.versions import Versions

_STEP, _LINES = 20_000, 500  # jobs in one step of the manifest: looked at; and of these, written as a line each
ANSWERS = 1000  # answers that are kept: a command that waits for its own looks for it all the time
_ANSWER = """
    INSERT INTO answers (request, at, ok, text, jobs, last) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (request) DO UPDATE SET ok = excluded.ok, text = excluded.text, jobs = excluded.jobs, last = excluded.last
"""


class Ledger(Holds, Gauges, Remembered, Versions, Parts):
    """Reads and writes jobs. Every method may raise LedgerError: disk full, database locked or corrupt."""

    def __init__(self, path: Path, connection: sqlite3.Connection, manifest: Manifest | None = None) -> None:
        super().__init__(path, connection)
        self._manifest = manifest
        self.forgotten = 0  # jobs, since it was opened
        self._owed = manifest is not None  # True: some committed change may not be in the manifest yet
        self._facts: dict[str, Any] = {}  # facts that are not in the manifest yet
        self.mended: list[Job] = []  # jobs whose rows were repaired, until the daemon has logged them
        self.mended_facts: list[tuple[Fact[Any], str]] = []  # facts likewise, with the damaged text
        self._recorded: list[int] = []  # jobs in the manifest that the next transaction deletes from `unrecorded`

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """For the daemon: created and migrated where needed.

        Raises:
            LedgerCorrupt: it is damaged, or another program's; see `rebuild`.
            LedgerError: it cannot be opened, or a newer sttd made it.
        """
        with translated(path):
            db = connect(path)
            try:
                check(db, path)
            except (sqlite3.Error, LedgerError):
                db.close()
                raise
        return cls(path, db, Manifest(path.with_name(MANIFEST)))

    @classmethod
    def open_readonly(cls, path: Path) -> Self:
        """For a command. It needs no right to write, whether the daemon runs, was killed, or ended well."""
        if not path.exists():
            raise LedgerError(f"there is no ledger at {path}: has sttd run with this configuration?")
        with translated(path):
            # tried again: a daemon that starts may still make the tables, one that starts or ends makes or removes the WAL
            for wait in (0.01, 0.05, 0.2, 1.0, 2.0):
                with contextlib.suppress(sqlite3.OperationalError):
                    return cls(path, connect_readonly(path))
                time.sleep(wait)
            wal, index = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
            return cls(path, connect_readonly(path, copy=wal.exists() and not index.exists()))

    def close(self) -> None:
        if self._manifest is not None:
            self._manifest.close()
        with translated(self.path):
            self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Stores all steps inside, or none. May be nested: the outermost one commits, then brings the manifest up to date."""
        if self._db.in_transaction:
            yield
            return
        with translated(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("DELETE FROM unrecorded WHERE job = ?", [(job,) for job in self._recorded])
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        self._recorded = []
        with contextlib.suppress(OSError, LedgerError):  # it is committed; the next `record` tries again
            self.record()

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Within a transaction: if a step inside fails, only the steps inside are undone."""
        return alone(self._db, self.path)

    def record(self) -> None:
        """Bring the manifest up to what was committed; a long backlog takes several calls.

        Raises:
            OSError: it cannot be written; the next call tries again.
        """
        if self._manifest is None or not self._owed:
            return
        known = len(self._recorded)
        with translated(self.path):
            owed = self._db.execute(
                "SELECT job, EXISTS (SELECT 1 FROM jobs WHERE id = job) FROM unrecorded ORDER BY job LIMIT ?",
                (known + _STEP,),
            ).fetchall()
        recorded = set(self._recorded)
        kept = [job for job, exists in owed if exists and job not in recorded][:_LINES]
        gone = [job for job, exists in owed if not exists and job not in recorded]
        records = [to_record(job) for number in kept for job, _ in self._rows(f"{SELECT} WHERE id = ?", (number,))]
        records += [tombstone(gone[start : start + _LINES]) for start in range(0, len(gone), _LINES)]
        records += [{"fact": name, "value": value} for name, value in self._facts.items()]
        if records:
            self._manifest.append(records)
        self._facts = {}
        self._recorded += [*kept, *gone]
        self._owed = len(self._recorded) < len(owed) or len(owed) == known + _STEP

    @property
    def manifest(self) -> Manifest:
        """The manifest beside the ledger. Only the daemon's ledger has it."""
        assert self._manifest is not None, "opened to read, or for a command"
        return self._manifest

    @property
    def is_recorded(self) -> bool:
        """Whether the manifest has every committed change that belongs in it."""
        return not self._owed

    # jobs

    def add(self, source: str, identity: Identity, now: float, **fields: Any) -> Job:
        """A new job, queued."""
        known: dict[str, Any] = {"source": source, "size": identity.size, "mtime_ns": identity.mtime_ns}
        known |= {"owner": identity.owner, "created_at": now, "queued_at": now} | fields
        values = NEW | to_row(known)
        marks = ", ".join("?" * len(values))
        with self.transaction():
            insert = f"INSERT INTO jobs ({', '.join(values)}) VALUES ({marks})"
            added = Job(int(self._db.execute(insert, tuple(values.values())).lastrowid or 0), **known)
            self._note(None, added, ("state",))
        return added

    def update(self, job: Job, **changes: Any) -> Job:
        """Store `changes` if the row still has the state and the attempt of `job`. Returns the row as it is then.

        Raises:
            NoSuchJob: the row is gone.
            Stale: the row has another state or attempt by now; nothing is stored.
            ValueError: the step does not exist in `job.TRANSITIONS`.
        """
        job.evolve(**changes)
        values = to_row(changes)
        marks = ", ".join(f"{name} = ?" for name in values)
        expected = (job.id, str(job.state), job.attempt)
        with self.transaction():
            step = f"UPDATE jobs SET {marks} WHERE id = ? AND state = ? AND attempt = ?"
            stored = self._db.execute(step, (*values.values(), *expected)).rowcount == 1
            after = self.get(job.id)
            if stored:
                self._follow(after, changes)
            else:
                raise Stale(
                    f"job {job.id} is {after.state}, attempt {after.attempt}, not {job.state}, attempt {job.attempt}"
                )
            self._note(job, after, changes)
        return after

    def note_hash(self, job: Job, sha256: str) -> None:
        """Store the hash of the file, if the row is still about the same version of it, and has no hash."""
        step = "UPDATE jobs SET sha256 = ? WHERE id = ? AND size = ? AND mtime_ns = ? AND sha256 IS NULL"
        with self.transaction():
            self._db.execute(step, (sha256, job.id, job.size, to_row({"mtime_ns": job.mtime_ns})["mtime_ns"]))

    def _note(self, before: Job | None, after: Job, changes: Iterable[str]) -> None:
        """In the transaction of a change: note that the manifest must have it, so that no crash loses it."""
        if self._manifest is not None and is_due(before, after, changes):
            self._owe([(after.id,)])

    def _owe(self, jobs: Sequence[tuple[int]]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO unrecorded VALUES (?)", jobs)
        self._owed = self._owed or bool(jobs)

    def _mend(self, damaged: Sequence[Read]) -> bool:
        if not self._may_mend():
            return False
        with self.transaction():
            mend(self._db, damaged, time.time())
            self._owed = True
        self.mended += [job for job, _ in damaged]
        return True

    def leave_inbox(self, inbox: str, path: str, *, all_jobs: bool) -> int:
        """For a folder that is no longer an inbox: store the whole path of each job's file; see `moved`. Returns how many."""
        with self.transaction():
            left = moved.leave(self._db, inbox, path, all_jobs=all_jobs)
            self._owe(left)
        return len(left)

    def come_home(self, inbox: str, path: str) -> None:
        """For a folder that is an inbox again: name its jobs' files relative to it, of ended jobs too; see `moved`."""
        with self.transaction():
            self._owe(moved.come_home(self._db, inbox, path))

    def postpone(self, which: moved.Which, until: float, why: str, cause: str) -> None:
        """Make some hundred of the jobs that could start now wait until `until`; see `moved`."""
        with self.transaction():
            waits.postpone(self._db, which, until, why=why, cause=cause)

    def end_waits(self, now: float) -> None:
        """Let the jobs start whose `not_before` has come; some thousand in one call."""
        with translated(self.path):
            jobs = waits.over(self._db, now)
        if jobs:
            with self.transaction():
                waits.end(self._db, jobs)

    def clamp_waits(self, now: float, longest: float) -> bool:
        """Let no job wait for more than `longest` seconds; some thousand in one call. Returns whether the clock was set back."""
        with self.transaction():
            return waits.clamp(self._db, now, longest)

    # retention

    def give_up_sources(self, paths: Sequence[str]) -> list[str]:
        """Before files are removed: note that those that no job needs are gone, and return them."""
        with self.transaction():
            return thinning.give_up_sources(self._db, paths)

    def forget(self, jobs: Sequence[int], before: float, now: float) -> list[int]:
        """Remove those of `jobs` that ended before a time and that nothing needs; returns them."""
        with self.transaction():
            forgotten = thinning.forget(self._db, before, jobs)
            if forgotten:
                self.forgotten += len(forgotten)
                self._owed = self._manifest is not None
                if self.fact(FORGOTTEN) is None:
                    self.set_fact(FORGOTTEN, now)
        return forgotten

    def forget_answers(self, before: float) -> None:
        """Remove answers from before a time (UTC seconds): they name jobs, and nobody waits for them any more."""
        with self.transaction():
            self._db.execute("DELETE FROM answers WHERE at < ?", (before,))

    # answers and facts

    def set_answer(self, request: str, answer: Answer, now: float) -> None:
        """Store the answer to a request, in the transaction that carries it out: neither is ever there without the other."""
        text = text_or_none(answer.text)  # it may quote what was asked
        with self.transaction():
            self._db.execute(_ANSWER, (request, now, answer.ok, text, answer.jobs, answer.last))
            self._db.execute("DELETE FROM answers WHERE id <= (SELECT max(id) FROM answers) - ?", (ANSWERS,))

    def set_fact(self, fact: Fact[T], value: T) -> None:
        with self.transaction():
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (fact.name, json.dumps(value)))
            if self._manifest is not None and fact.lasts:
                self._facts[fact.name], self._owed = value, True

    def _mend_counts(self) -> None:
        if self._manifest is not None:
            with self.transaction():
                tally.mend(self._db)

    def _may_mend(self) -> bool:
        return self._manifest is not None

    def _mend_fact(self, fact: Fact[Any], damage: str) -> None:
        if self._manifest is not None:
            self.set_fact(fact, fact.damaged)
            self.mended_facts.append((fact, damage))
