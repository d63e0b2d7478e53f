"""The index's file: SQLite with FTS5. How it is made, opened and checked, and its errors in words.

It holds nothing that is not in the ledger and in the results, so it is never repaired: a file that is damaged, of another version
or of another program is deleted and made anew.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path

from sttd.errors import SttdError

INDEX = "search.db"
MODE = 0o600  # the text of every recording is in it
APPLICATION = 1937011811  # "sttc": the ledger has another
VERSION = 3  # of tables and of tokens: raise it where either changes
STAMP = f"{VERSION} {unicodedata.unidata_version}"  # atoms depend on Unicode's tables
SCHEMA = f"""
    BEGIN;
    CREATE TABLE stamp (value TEXT NOT NULL);
    CREATE TABLE checks (ended_at REAL NOT NULL, took REAL NOT NULL);  -- the latest look at every result: UTC seconds, seconds
    CREATE TABLE recordings (
        job INTEGER PRIMARY KEY,
        source BLOB NOT NULL,          -- bytes of the path below the inbox
        created_at REAL NOT NULL,      -- UTC seconds
        language TEXT NOT NULL,
        path BLOB NOT NULL,            -- of the JSON result; empty: the job has none
        size INTEGER NOT NULL,         -- of the file as it was read; -1: none was
        mtime_ns INTEGER NOT NULL,
        ctime_ns INTEGER NOT NULL
    );
    CREATE INDEX recordings_by_path ON recordings (path, job);
    CREATE INDEX recordings_by_time ON recordings (created_at, job);
    CREATE TABLE texts (
        job INTEGER PRIMARY KEY,
        key BLOB NOT NULL,             -- see phrases.key; deflated, as the next two are
        starts BLOB NOT NULL,          -- where each segment starts in the key: 32-bit numbers
        segments BLOB NOT NULL,        -- JSON: start, end, text, language of each
        facets TEXT NOT NULL           -- the tokens of the column of this name
    );
    -- `ascii` takes every character beyond ASCII for a letter: what a token is, phrases.tokens alone decides
    CREATE VIRTUAL TABLE words USING fts5(name, body, facets, content = '', columnsize = 0, tokenize = 'ascii');
    INSERT INTO words (words, rank) VALUES ('hashsize', 16777216);
    INSERT INTO stamp VALUES ('{STAMP}');
    PRAGMA application_id = {APPLICATION};
    COMMIT;
"""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_CHECKED = 32 * 2**20  # bytes: a larger index is not checked when it is opened, and damage in it is found in use


class IndexTrouble(SttdError):
    """The index cannot be read or written: the disk is full, say. It passes, or a person has to look."""


class IndexDamaged(IndexTrouble):
    """The index is damaged, or not ours: it has to be made anew."""


class IndexMissing(IndexTrouble):
    """There is no index yet: its writer will make it."""


def lock_of(path: Path) -> Path:
    """The lock that the index's one writer holds."""
    return path.with_name(f"{path.name}.lock")


def opened(path: Path) -> sqlite3.Connection:
    """The writer's connection to a whole index of this version. Anything else is replaced by an empty index."""
    with translated(path):
        if path.exists():
            with contextlib.suppress(IndexDamaged):
                return _whole(path)
        return made(path)


def made(path: Path) -> sqlite3.Connection:
    """The writer's connection to a new, empty index in place of what was there. Nobody sees it half made."""
    begun = path.with_name(f"{path.name}.new")
    with translated(path):
        begun.unlink(missing_ok=True)
        os.close(os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
        with contextlib.closing(sqlite3.connect(begun, isolation_level=None)) as db:
            db.executescript(SCHEMA)
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        begun.rename(path)
        return _connected(path)


def _whole(path: Path) -> sqlite3.Connection:
    # lstat, not open: closing a descriptor of the file would drop SQLite's locks on it in this process (fcntl(2))
    if not stat.S_ISREG(path.lstat().st_mode):
        raise IndexDamaged(f"the search index {path} is not a regular file")
    with translated(path):
        db = _connected(path)
        try:
            _require_whole(db, path)
        except BaseException:
            db.close()
            raise
        return db


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # a power cut may undo the last steps, which are taken again
        db.execute("PRAGMA journal_size_limit = 16777216")
        db.execute("PRAGMA secure_delete = ON")  # the text of a result that was deleted does not stay in free pages
    except BaseException:
        db.close()
        raise
    return db


def _require_whole(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise IndexDamaged(f"the search index {path} is another program's database")
    if db.execute("SELECT value FROM stamp").fetchall() != [(STAMP,)]:
        raise IndexDamaged(f"the search index {path} was made by another version")
    if path.stat().st_size <= _CHECKED and db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise IndexDamaged(f"the search index {path} is damaged")


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that can only read, of any process of the same user.

    Raises:
        IndexMissing: there is none.
        IndexTrouble: it cannot be opened, or is of another version.
    """
    if not path.exists():
        raise IndexMissing(f"there is no search index {path} yet")
    with translated(path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10, isolation_level=None)
        try:
            stamps = db.execute("SELECT value FROM stamp").fetchall()
        except BaseException:
            db.close()
            raise
    if stamps != [(STAMP,)]:
        db.close()
        raise IndexTrouble(f"the search index {path} is of another version: it is made anew by its writer")
    return db


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns errors of SQLite and of the system into ours, which name the path.

    Raises:
        IndexDamaged: the file is no index, or damaged.
        IndexTrouble: it cannot be read or written.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED or str(error).startswith("no such table"):
            raise IndexDamaged(f"the search index {path} is damaged: {error}") from error
        if code == sqlite3.SQLITE_CANTOPEN and not path.exists():
            raise IndexMissing(f"there is no search index {path} yet") from error
        raise IndexTrouble(
            f"the search index {path}: {error}. Is the disk full, or the folder not writable?"
        ) from error
    except (zlib.error, UnicodeDecodeError) as error:
        raise IndexDamaged(f"the search index {path} is damaged: {error}") from error
    except OSError as error:
        raise IndexTrouble(f"the search index {path}: {error.strerror}") from error
