"""Connections to the ledger's file, and SQLite's errors in words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sttd.errors import LedgerCorrupt, LedgerError
from sttd.ledger.schema import migrate, require_ours

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# bytes of a ledger that is looked through at the start, in a tenth of a second; damage in a larger one is told by
# whatever meets it
_CHECKED = 32 * 2**20


def connect(path: Path) -> sqlite3.Connection:
    """To read and write: made where there is none, checked, migrated."""
    from sttd.ledger.upgrade import move_requests  # noqa: PLC0415 - commands only read, and need no log

    _create(path)
    db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        require_ours(db)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_size_limit = 16777216")
        db.execute("PRAGMA secure_delete = ON")  # the names of jobs that were forgotten do not stay in free pages
        move_requests(db, path)
        migrate(db)
    except (sqlite3.Error, OSError, LedgerError):
        db.close()  # with its transaction, which would lock the next one out
        raise
    return db


def _create(path: Path) -> None:
    """The empty file, which the group may write where the umask lets it: SQLite itself would never say so."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o664))
    except OSError as error:
        raise LedgerError(f"ledger {path}: {error.strerror}. Is the disk full, or the folder not writable?") from error


def connect_readonly(path: Path) -> sqlite3.Connection:
    # without a WAL file nobody writes, and SQLite could not create one in a folder that is not ours
    mode = "mode=ro" if path.with_name(path.name + "-wal").exists() else "immutable=1"
    db = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=10, isolation_level=None)
    try:
        db.execute("SELECT 1 FROM facts")
    except sqlite3.Error:
        db.close()
        raise
    return db


def check(db: sqlite3.Connection, path: Path) -> None:
    """Look through a ledger of common size.

    Raises:
        LedgerCorrupt: something in it is not as SQLite wrote it.
    """
    if path.stat().st_size <= _CHECKED:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise LedgerCorrupt(f"ledger {path}: {found}")


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """SQLite's errors with the path and what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            raise LedgerCorrupt(f"ledger {path}: {error}: the daemon sets it aside and makes it anew") from error
        raise LedgerError(f"ledger {path}: {error}. Is the disk full, or the folder not writable?") from error
    except sqlite3.Error as error:
        raise LedgerError(f"ledger {path}: {error}") from error
