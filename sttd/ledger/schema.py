"""Checks that a database is a ledger, and complete; migrates it to the newest version."""

from __future__ import annotations

import contextlib
import functools
import sqlite3

from sttd.errors import LedgerCorrupt, LedgerError
from sttd.ledger.migrations import MIGRATIONS

APPLICATION = 1937011812  # "sttd", in the file's header: other programs' databases have another number
WITH_REQUESTS = range(1, 5)  # versions that have the table `requests`; see `upgrade`


def require_ours(connection: sqlite3.Connection) -> None:
    """Make sure that it is a ledger, or nothing yet.

    Raises:
        LedgerCorrupt: another program made it.
    """
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if application == APPLICATION or is_empty(connection):
        return
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if application or not {"jobs", "attempts", "facts", "counts"} <= tables:
        raise LedgerCorrupt("it is another program's database")


def require_whole(connection: sqlite3.Connection) -> None:
    """Make sure that no table, index or trigger of its version is missing, and that no trigger was added.

    Raises:
        LedgerCorrupt: one is missing, or there is a trigger that sttd did not write.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    found = set(connection.execute(_OBJECTS))
    if version == 0 and found:
        raise LedgerCorrupt("it has tables and no version")
    expected = _objects(min(version, len(MIGRATIONS)))
    foreign = {(kind, name) for kind, name in found - expected if kind == "trigger"}
    for what, objects in (("lacks", expected - found), ("has a foreign", foreign)):
        if objects and version <= len(MIGRATIONS):
            raise LedgerCorrupt(f"it {what} {' '.join(min(objects))}")


_OBJECTS = "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"


@functools.cache
def _objects(version: int) -> frozenset[tuple[str, str]]:
    """Kind and name of all tables, indexes and triggers of a version."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript("".join(MIGRATIONS[:version]))
        return frozenset(db.execute(_OBJECTS))


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether there is no table in it."""
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the ledger to the newest version, in one transaction: nobody reads tables that lack a column.

    Raises:
        LedgerError: a newer sttd made it, or it cannot be written.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise LedgerError(
            f"the ledger is of version {version}, this sttd knows {len(MIGRATIONS)}: install the newer sttd again"
        )
    if version < len(MIGRATIONS):
        steps = "; ".join(MIGRATIONS[version:])
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {steps}; PRAGMA user_version = {len(MIGRATIONS)}; COMMIT;")
        except sqlite3.OperationalError as error:  # of a step or the disk: the ledger itself was checked before
            raise LedgerError(f"the ledger cannot be brought to version {len(MIGRATIONS)}: {error}") from error
