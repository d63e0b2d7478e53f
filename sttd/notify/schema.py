"""The notifier's file: SQLite, with its tables. A missing one is made, a damaged one is set aside."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from sttd.errors import SttdError
from sttd.host.events import Kind, say
from sttd.notify.place import NAME

LOCK = "lock"  # held by the notifier, beside its file
MODE = 0o640  # the group reads what was told, for `sttd show`
VERSION = 1

_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;  -- JSON
CREATE TABLE standing (job INTEGER PRIMARY KEY, mark TEXT NOT NULL);  -- as of the last look; see ledger/followed.py
CREATE TABLE notices (
    id INTEGER PRIMARY KEY,
    word TEXT NOT NULL UNIQUE,     -- notice.Notice.word
    event TEXT NOT NULL,
    job INTEGER,
    at REAL NOT NULL,              -- UTC seconds, as all times
    notice TEXT                    -- JSON; NULL when nobody is to be told any more: it holds names
);
CREATE INDEX notices_by_job ON notices (job) WHERE job IS NOT NULL;
CREATE TABLE deliveries (
    notice INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    state TEXT NOT NULL,           -- waiting, begun (a try is under way, or was cut off), delivered, dropped
    tries INTEGER NOT NULL DEFAULT 0,
    since REAL NOT NULL,           -- of the waiting
    due REAL NOT NULL DEFAULT 0,   -- no try before
    at REAL,                       -- of the last try
    error TEXT,                    -- of the last try
    PRIMARY KEY (notice, receiver)
) WITHOUT ROWID;
CREATE INDEX deliveries_open ON deliveries (receiver, tries, notice) WHERE state IN ('waiting', 'begun');
"""


class NoRecord(SttdError):
    """The notifier's own file cannot be opened, read or written."""


def connect(place: Path) -> sqlite3.Connection:
    """A connection that may write. A missing file is made, a damaged one is set aside.

    Raises:
        NoRecord: it cannot be opened.
    """
    path = place / NAME
    try:
        with contextlib.suppress(sqlite3.DatabaseError):
            return _opened(path)
        aside = path.with_name(f"{NAME}.damaged-{time.time():.0f}")
        path.rename(aside)
        text = f"{path} is damaged and set aside as {aside.name}: what was not told yet is told to nobody"
        say(Kind.REMARK, text, level="ERROR")
        return _opened(path)
    except (OSError, sqlite3.Error) as error:
        raise NoRecord(f"{path}: {error}. Is the disk full, or the folder not writable?") from error


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE))
    db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")  # names do not stay in free pages
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("quick_check found damage")
    except sqlite3.OperationalError as error:  # the disk is full, or may not be written
        db.close()
        raise NoRecord(f"{path}: {error}. Is the disk full, or the folder not writable?") from error
    except sqlite3.Error:
        db.close()
        raise
    return db
