"""The notices, and which receivers have got them. This file alone decides what is still to be sent after a kill.

A notice, its receivers, and how far the ledger was read are stored in one transaction. So nothing is noticed twice, and nothing
that was noticed is lost. A try is noted before it begins: one that was cut off is made again, with the same identity.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttd.config import Receiver
from sttd.notify import schema
from sttd.notify.notice import Notice
from sttd.notify.rules import wants
from sttd.notify.schema import NoRecord
from sttd.notify.spans import Spans
from sttd.notify.waits import LONGEST

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
KEPT = 30 * 86400.0  # seconds; older notices that wait for no receiver are deleted


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice that one receiver is still to get."""

    key: int
    identity: str  # unique everywhere, the same at each try
    notice: Notice
    tries: int  # so far
    since: float  # when it began to wait; UTC seconds
    was_begun: bool  # a try was cut off: it is not known whether the notice arrived


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the ledger was read."""

    newest: int  # the largest number of a job
    at: float  # UTC seconds
    came: float | None = None  # when that job came, in UTC seconds; None: there was none, or it is not known


class Record:
    """Every method may raise NoRecord. Used by all threads."""

    def __init__(self, folder: Path) -> None:
        self.is_damaged = False  # damage was found in use: opening the file anew sets it aside
        self._db = schema.connect(folder)
        self._lock = threading.Lock()
        with self._writing():
            self._db.execute("INSERT OR IGNORE INTO facts VALUES ('origin', ?)", (json.dumps(secrets.token_hex(4)),))
        self._origin = str(self._fact("origin"))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # looking

    def place(self) -> Cursor | None:
        """How far the last look has read; None: there was no look yet."""
        found = self._fact("place")
        return None if found is None else Cursor(*found)

    def standing(self) -> dict[int, str]:
        with self._reading():
            return dict(self._db.execute("SELECT job, mark FROM standing"))

    def spans(self) -> Spans:
        return Spans(**(self._fact("spans") or {}))

    def store(
        self,
        notices: Iterable[Notice],
        receivers: Iterable[Receiver],
        now: float,
        *,
        place: Cursor | None = None,
        standing: tuple[Mapping[int, str], Iterable[int]] = ({}, ()),
        spans: Spans | None = None,
    ) -> list[Notice]:
        """Store what a look has found, all of it or nothing. Returns those notices that are new.

        Args:
            notices: in the order in which they are to be delivered.
            receivers: each gets the notices that it wants; empty: the notices are only stored as known.
            now: UTC seconds.
            place: how far the ledger was read.
            standing: the jobs whose standing has changed, with the new one; and the jobs that have none any more.
            spans: as they are now.
        """
        with self._writing():
            new = [notice for notice in notices if self._add(notice, receivers, now)]
            self._db.executemany("INSERT OR REPLACE INTO standing VALUES (?, ?)", standing[0].items())
            self._db.executemany("DELETE FROM standing WHERE job = ?", [(number,) for number in standing[1]])
            if place is not None:
                self._set("place", dataclasses.astuple(place))
            if spans is not None:
                self._set("spans", dataclasses.asdict(spans))
        return new

    def _add(self, notice: Notice, receivers: Iterable[Receiver], now: float) -> bool:
        told = [receiver.name for receiver in receivers if wants(receiver, notice)]
        text = json.dumps(dataclasses.asdict(notice)) if told else None
        row = (notice.word, notice.event, notice.job, notice.at, text)
        added = self._db.execute(
            "INSERT OR IGNORE INTO notices (word, event, job, at, notice) VALUES (?, ?, ?, ?, ?)", row
        )
        if not added.rowcount:
            return False
        rows = [(added.lastrowid, name, now) for name in told]
        self._db.executemany(
            "INSERT INTO deliveries (notice, receiver, state, since) VALUES (?, ?, 'waiting', ?)", rows
        )
        return True

    # telling

    def next(self, receiver: str, now: float) -> Delivery | None:
        """A receiver's next delivery that is due: the one with the fewest tries, and the oldest of these."""
        query = """
            SELECT notice, tries, since, state FROM deliveries INDEXED BY deliveries_open
            WHERE receiver = ? AND state IN ('waiting', 'begun') AND (due <= ? OR due > ?) ORDER BY tries, notice LIMIT 1
        """
        with self._reading():
            found = self._db.execute(
                query, (receiver, now, now + LONGEST)
            ).fetchone()  # due later than any wait: the clock was set back
            if found is None:
                return None
            key, tries, since, state = found
            word, text = self._db.execute("SELECT word, notice FROM notices WHERE id = ?", (key,)).fetchone()
        return Delivery(
            key, f"sttd-{self._origin}-{word}", Notice(**json.loads(text)), tries, since, was_begun=state == "begun"
        )

    def next_due(self, receiver: str) -> float | None:
        """When the next try is, in UTC seconds; None: nothing waits."""
        query = "SELECT min(due) FROM deliveries WHERE receiver = ? AND state IN ('waiting', 'begun')"
        with self._reading():
            found: float | None = self._db.execute(query, (receiver,)).fetchone()[0]
        return found

    def begin(self, delivery: Delivery, receiver: str) -> None:
        self._change(delivery.key, receiver, "state = 'begun'")

    def wait(self, delivery: Delivery, receiver: str, now: float, due: float, error: str) -> None:
        """A try failed: the next one is at `due`."""
        change = "state = 'waiting', tries = tries + 1, at = ?, due = ?, error = ?"
        self._change(delivery.key, receiver, change, now, due, error)

    def put_back(self, delivery: Delivery, receiver: str) -> None:
        """We ended the try ourselves: it does not count."""
        self._change(delivery.key, receiver, "state = 'waiting'")

    def end(self, delivery: Delivery, receiver: str, now: float, error: str | None = None) -> None:
        """It was delivered; with an error: it is given up."""
        state = "delivered" if error is None else "dropped"
        change = f"state = '{state}', tries = tries + 1, at = ?, error = ?"
        self._change(delivery.key, receiver, change, now, error)

    def _change(self, key: int, receiver: str, change: str, *values: float | str | None) -> None:
        with self._writing():
            step = f"UPDATE deliveries SET {change} WHERE notice = ? AND receiver = ?"
            self._db.execute(step, (*values, key, receiver))
            self._empty(f"id = {key}")

    def _empty(self, which: str) -> None:
        """Remove the content of notices that wait for no receiver, because it holds names."""
        waits = "SELECT 1 FROM deliveries WHERE notice = id AND state IN ('waiting', 'begun')"
        self._db.execute(
            f"UPDATE notices SET notice = NULL WHERE {which} AND notice IS NOT NULL AND NOT EXISTS ({waits})"
        )

    def drop_strangers(self, receivers: Iterable[Receiver], now: float) -> dict[str, int]:
        """Give up the deliveries to receivers that are not configured any more. Returns how many, by receiver."""
        known = [receiver.name for receiver in receivers]
        of_others = f"state IN ('waiting', 'begun') AND receiver NOT IN ({', '.join('?' * len(known))})"
        with self._writing():
            counted = f"SELECT receiver, count(*) FROM deliveries WHERE {of_others} GROUP BY receiver"
            found = dict(self._db.execute(counted, known))
            why = "it is not in the configuration any more"
            self._db.execute(
                f"UPDATE deliveries SET state = 'dropped', at = ?, error = ? WHERE {of_others}", (now, why, *known)
            )
            if found:
                self._empty("TRUE")
        return found

    def prune(self, now: float) -> None:
        """Delete old notices that wait for no receiver."""
        with self._writing():
            old = "SELECT id FROM notices WHERE notice IS NULL AND at < ?"
            self._db.execute(f"DELETE FROM deliveries WHERE notice IN ({old})", (now - KEPT,))
            self._db.execute("DELETE FROM notices WHERE notice IS NULL AND at < ?", (now - KEPT,))

    def counts(self) -> dict[str, int]:
        """How many deliveries there are in each state; those that were begun wait."""
        with self._reading():
            found = dict(self._db.execute("SELECT state, count(*) FROM deliveries GROUP BY state"))
        waiting = found.get("waiting", 0) + found.get("begun", 0)
        return {"waiting": waiting, "delivered": found.get("delivered", 0), "dropped": found.get("dropped", 0)}

    # the file

    def _fact(self, name: str) -> Any:
        with self._reading():
            row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def _set(self, name: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                self.is_damaged |= getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE
                raise NoRecord(
                    f"the notifier's file: {error}. Is the disk full, or the folder not writable?"
                ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._reading():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
