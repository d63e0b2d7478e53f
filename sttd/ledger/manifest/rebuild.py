"""Sets a damaged ledger aside, and rebuilds a damaged or lost one from the manifest and the checkpoints.

Files that wait in the inbox are found again by the inbox. Rows of parts are not rebuilt: parts.py makes them when they are
read. The new ledger appears complete, under its name, or not at all.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttd.fs.regular import is_regular, open_regular
from sttd.fs.sync import fsync_folder
from sttd.job import Job, State
from sttd.ledger.connect import connect, translated
from sttd.ledger.facts import FORGOTTEN, LASTING
from sttd.ledger.manifest import log as manifest
from sttd.ledger.manifest.log import Manifest
from sttd.ledger.names import MANIFEST, is_checkpoint
from sttd.ledger.rows import COLUMNS, folder_options, shared_of, to_row
from sttd.ledger.schema import is_empty
from sttd.ledger.seal import unseal

_BATCH = 5000  # lines in a transaction


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of it, for the log."""

    counts: dict[State, int]
    bad_lines: int  # of the manifest


def set_aside(path: Path, now: float) -> Path:
    """Rename a damaged ledger and its WAL to a name that says so; returns that name. No data is deleted."""
    stamp = dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (
        f"{path.name}.corrupt-{stamp}{mark}" for mark in itertools.chain([""], (f".{n}" for n in itertools.count(2)))
    )
    aside = next(found for name in names if not os.path.lexists(found := path.with_name(name)))
    for suffix in ("-wal", ""):  # the ledger last: if a kill comes between, the next start sets it aside
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)  # an index of the WAL, made anew whenever it is needed
    fsync_folder(path.parent)
    return aside


def is_lost(path: Path, work: Path) -> bool:
    """Whether there is no ledger, or an empty one, although jobs have left traces."""
    if not path.with_name(MANIFEST).exists() and next(work.glob("*/*.jsonl"), None) is None:
        return False
    if not path.exists():
        return True
    if not is_regular(path):
        return False  # opening it raises the error
    if not path.stat().st_size:
        return True
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as db:  # as above
        return is_empty(db)
    return False


def rebuild(path: Path, work: Path, alive: Callable[[], None]) -> Rebuilt:
    """Make the ledger anew; `alive` is called every second or so, because a million jobs take minutes.

    Raises:
        LedgerError, OSError: it cannot be written.
    """
    new = path.with_name(f"{path.name}.new")
    _remove(new)
    with translated(new), contextlib.closing(connect(new)) as db:
        bad = _take_manifest(db, Manifest(path.with_name(MANIFEST)), alive)
        known = """
            SELECT 1 FROM jobs WHERE source = ? AND id >= ? UNION ALL SELECT 1 FROM forgotten WHERE job = ?
        """
        with _transaction(db):
            for job in sorted(_begun(work), key=lambda job: -job.id):  # the newest job of a source wins
                if db.execute(known, (os.fsencode(job.source), job.id, job.id)).fetchone() is None:
                    _put(db, "INSERT OR IGNORE", job)
            # a row that was replaced has been counted twice
            db.execute("DELETE FROM counts")
            db.execute("INSERT INTO counts SELECT state, count(*) FROM jobs GROUP BY state")
        counts = {State(state): jobs for state, jobs in db.execute("SELECT state, jobs FROM counts")}
    _remove(path)  # an empty file may have its name
    new.rename(path)  # it was closed, so that its WAL is in it
    fsync_folder(path.parent)
    return Rebuilt(counts, bad)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Without a rollback: after a kill or an error the rebuild starts anew."""
    db.execute("BEGIN")
    yield
    db.execute("COMMIT")


def _take_manifest(db: sqlite3.Connection, source: Manifest, alive: Callable[[], None]) -> int:
    """The last line of each job counts; forgotten jobs go to the table `forgotten`. Returns how many lines are bad."""
    bad = 0
    records = source.records()
    db.execute("CREATE TEMP TABLE forgotten (job INTEGER PRIMARY KEY)")
    while batch := list(itertools.islice(records, _BATCH)):
        alive()
        with _transaction(db):
            bad += sum(not _take(db, record) for record in batch)
    return bad


def _take(db: sqlite3.Connection, record: dict[str, Any] | None) -> bool:
    """Take in one line. False: it is bad."""
    match record:
        case {"job": {}} if record and (job := manifest.from_record(record)) is not None:
            _put(db, "INSERT OR REPLACE", job)
        case {"forgotten": [*jobs]} if all(isinstance(job, int) for job in jobs):
            db.executemany("DELETE FROM jobs WHERE id = ?", [(job,) for job in jobs])
            db.executemany("INSERT OR IGNORE INTO forgotten VALUES (?)", [(job,) for job in jobs])
            _reserve(db, max(jobs, default=0))
            db.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, '0.0')", (FORGOTTEN.name,)
            )  # the manifest still has their names, and is to lose them
        case {"highest": int(number)}:
            _reserve(db, number)
        case {"fact": str(name), "value": value} if name in LASTING:
            db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))
        case _:
            return False
    return True


def _reserve(db: sqlite3.Connection, number: int) -> None:
    """No new job gets this number or a lower one (https://sqlite.org/autoinc.html)."""
    if db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'jobs'", (number,)).rowcount == 0:
        db.execute("INSERT INTO sqlite_sequence VALUES ('jobs', ?)", (number,))


def _put(db: sqlite3.Connection, verb: str, job: Job) -> None:
    values = to_row({name: getattr(job, name) for name in COLUMNS})
    db.execute(
        f"{verb} INTO jobs ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", tuple(values.values())
    )


def _begun(work: Path) -> Iterator[Job]:
    """The jobs that have a checkpoint, as its first line describes them; of several parts the first readable one counts."""
    folders: dict[Path, list[Path]] = {}
    for path in work.glob("*/*.jsonl"):
        if is_checkpoint(path):
            folders.setdefault(path.parent, []).append(path)
    for folder, paths in folders.items():
        begun = map(_job_of, sorted(paths, key=lambda path: int(path.stem)))
        job = next((job for job in begun if job is not None), None)
        if job is not None and str(job.id) == folder.name:
            yield job


def _job_of(path: Path) -> Job | None:
    """The job of a checkpoint; None: its head cannot be read."""
    with (
        contextlib.suppress(OSError, KeyError, TypeError, ValueError, AttributeError),
        os.fdopen(open_regular(path), "rb") as file,
    ):
        head: dict[str, Any] = unseal(file.readline()) or {}
        created = float(head["created_at"])
        job = Job(int(head["job"]), str(head["source"]), int(head["size"]), int(head["mtime_ns"]))
        set_by_folder = folder_options(head.get("folder_options") or {"files": [], "values": {}})
        shared = shared_of(head["shared"]) if head.get("shared") else None
        begun = {"options_key": str(head["options"]), "folder_options": set_by_folder, "shared": shared}
        return job.evolve(created_at=created, queued_at=created, **begun)
    return None
