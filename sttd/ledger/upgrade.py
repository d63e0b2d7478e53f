"""The part of an upgrade outside the ledger. It runs before the migration that drops the table it reads."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from loguru import logger

from sttd.errors import UsageError
from sttd.fs.sync import fsync_folder
from sttd.ledger import spool
from sttd.ledger.names import SPOOL
from sttd.ledger.request import from_bytes
from sttd.ledger.schema import WITH_REQUESTS
from sttd.text import printable


def move_requests(db: sqlite3.Connection, path: Path) -> None:
    """Turn requests that wait in the table of an older ledger into files, in order. A second call changes nothing.

    Raises:
        OSError: they cannot be written; the table stays.
    """
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version not in WITH_REQUESTS:
        return
    rows = db.execute("SELECT id, kind, job, arguments FROM requests ORDER BY id").fetchall()
    if not rows:
        return
    folder = path.with_name(SPOOL)
    spool.make(folder)
    for number, kind, job, arguments in rows:
        try:
            request = from_bytes(json.dumps({"kind": kind, "job": job} | json.loads(arguments)).encode())
        except (ValueError, TypeError, RecursionError, UsageError) as error:
            logger.warning("request {} of the older ledger is none and is dropped: {}", number, printable(str(error)))
            continue
        spool.leave(folder, request, f"{number:020d}-{0:016x}")
    fsync_folder(folder)
