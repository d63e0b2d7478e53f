"""Connections to the ledger's file, and SQLite's errors in words."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sttd.errors import LedgerCorrupt, LedgerError
from sttd.fs.regular import NotRegular, open_regular, set_mode
from sttd.ledger import holders
from sttd.ledger.schema import migrate, require_ours, require_whole

MODE = 0o640  # people of the group read it; only the daemon writes
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FAULTS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
# bytes: a ledger up to this size is checked at the start, in a tenth of a second. Damage in a larger one is found by the
# first query that meets it
_CHECKED = 32 * 2**20
# a text that is not UTF-8 is one damaged value, left to the reader of the row: by default sqlite3 fails the whole query
_TEXT = functools.partial(str, encoding="utf-8", errors="backslashreplace")


def connect(path: Path) -> sqlite3.Connection:
    """To read and write: made where there is none, checked, migrated."""
    from sttd.ledger.upgrade import move_requests  # noqa: PLC0415 - commands only read, and need no log

    _create(path)
    db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False, cached_statements=256)
    db.text_factory = _TEXT
    try:
        require_ours(db)
        require_whole(db)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_size_limit = 16777216")
        # undo data of a step is a few rows: keep it out of /var/tmp, which may be full or not writable
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute("PRAGMA secure_delete = ON")  # the names of jobs that were forgotten do not stay in free pages
        move_requests(db, path)
        migrate(db)
    except (sqlite3.Error, OSError, LedgerError):
        db.close()  # and end its transaction, which would lock the next connection out
        raise
    return db


def _create(path: Path) -> None:
    """Create the file, and set its mode. SQLite copies the mode to the WAL; what it cannot write it opens read-only, silently."""
    try:
        handle = open_regular(path, os.O_WRONLY | os.O_CREAT, MODE)
    except (NotRegular, IsADirectoryError) as error:
        raise LedgerCorrupt(
            f"ledger {path} is not a regular file: the daemon sets it aside and makes it anew"
        ) from error
    except OSError as error:
        raise LedgerError(f"ledger {path}: {error.strerror}. Is the disk full, or the folder not writable?") from error
    try:
        set_mode(handle, MODE)
    finally:
        os.close(handle)
    for suffix in ("-wal", "-shm"):  # left by a daemon that was killed, perhaps of an older version
        with contextlib.suppress(FileNotFoundError):
            beside = path.with_name(path.name + suffix)
            seen = beside.lstat().st_mode  # not opened: closing it would end locks of this process (fcntl(2))
            if stat.S_ISREG(seen) and stat.S_IMODE(seen) & 0o027:
                beside.chmod(MODE)


def connect_readonly(path: Path, *, copy: bool = False) -> sqlite3.Connection:
    """To read, without any right to write.

    While the daemon runs, and after it was killed, the WAL and its index exist, and the right to read both is enough
    (https://www.sqlite.org/wal.html, "Read-Only Databases"). After a clean end neither exists, and nobody writes.

    Args:
        path: the ledger.
        copy: read a private copy. It is the only way if there is a WAL without its index, as in a backup.
    """
    if copy:
        with tempfile.TemporaryDirectory(prefix="sttd-") as scratch:
            for file in (path, path.with_name(f"{path.name}-wal")):
                shutil.copyfile(file, Path(scratch, file.name))
            return _opened(f"{Path(scratch, path.name).as_uri()}?mode=rw")
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    return _opened(f"{path.absolute().as_uri()}?{mode}")


def _opened(uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)
    db.text_factory = _TEXT
    try:
        db.execute("SELECT 1 FROM facts")
    except sqlite3.Error:
        db.close()
        raise
    return db


def check(db: sqlite3.Connection, path: Path) -> None:
    """Check a ledger of up to `_CHECKED` bytes for damage.

    Raises:
        LedgerCorrupt: something in it is not as SQLite wrote it.
    """
    if path.stat().st_size <= _CHECKED:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise LedgerCorrupt(f"ledger {path}: {found}")


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with the path and what to do.

    An error about a value that SQLite does not take is raised as it is: it is a fault in sttd, not trouble with the disk
    that may pass.
    """
    try:
        yield
    except _FAULTS:
        raise
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED or str(error).startswith("no such table"):
            raise LedgerCorrupt(f"ledger {path}: {error}: the daemon sets it aside and makes it anew") from error
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise LedgerError(f"ledger {path}: {error}{holders.in_words(path)}") from error
        raise LedgerError(f"ledger {path}: {error}. Is the disk full, or the folder not writable?") from error
    except sqlite3.Error as error:
        raise LedgerError(f"ledger {path}: {error}") from error


@contextlib.contextmanager
def alone(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Within a transaction: if a step inside fails, only the steps inside are undone."""
    with translated(path):
        db.execute("SAVEPOINT alone")
        try:
            yield
        except BaseException:
            if db.in_transaction:  # not after a full disk: SQLite has undone the whole transaction
                db.execute("ROLLBACK TO alone")
                db.execute("RELEASE alone")
            raise
        db.execute("RELEASE alone")
