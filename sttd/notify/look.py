"""A look at the ledger and at the daemon: what has happened since the last one is stored as notices."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttd.config import Config
from sttd.errors import LedgerError
from sttd.fs import pulse
from sttd.job import UNDER_WAY, Job
from sttd.ledger import LEDGER, Ledger
from sttd.ledger.followed import Followed
from sttd.ledger.names import PULSE
from sttd.notify import changes, spans
from sttd.notify.notice import Notice
from sttd.notify.record import Cursor, Record
from sttd.text import printable
from sttd.view import figures

_Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Views:
    """How commands show the daemon and its jobs (view/figures.py): notices hold the same data."""

    status: Callable[[Ledger], dict[str, Any]]
    health: Callable[[dict[str, Any], float], int]
    job: Callable[[Job], dict[str, Any]]


class Look:
    """Looks, and stores what it finds. The very first look tells of no job: those that it finds are old.

    What a look finds of jobs is stored in one transaction.

    Args:
        config: where the ledger is, and who is to be told.
        record: where the notices are stored.
        views: how the daemon and its jobs are shown.
    """

    def __init__(self, config: Config, record: Record, views: Views) -> None:
        self._path = config.paths.state / LEDGER
        self._pulse = config.paths.state / PULSE
        self._receivers = config.receivers
        self._record, self._views = record, views
        self._standing = record.standing()
        self._place = record.place()
        self._spans = record.spans()
        self._seen: _Signature | None = None

    def __call__(self, now: float) -> list[Notice]:
        """Look once; returns the new notices. `now`: UTC seconds.

        Raises:
            LedgerError: the ledger cannot be read now.
            NoRecord: what was found cannot be stored.
            PermissionError: this user may not read the ledger.
        """
        if not os.path.lexists(self._path):
            if self._place is None:  # there is no ledger yet: every job to come is new
                self._store([], now, Cursor(0, now), {})
            return []
        before = _signature(self._path)
        has_wal = before[1] is not None
        with contextlib.closing(Followed.open_readonly(self._path)) as ledger:
            new = [] if before == self._seen else self._jobs(ledger, now, has_wal=has_wal)
            new += self._daemon(ledger, now)
        self._seen = before
        return new

    def _jobs(self, ledger: Followed, now: float, *, has_wal: bool) -> list[Notice]:
        with ledger.moment():
            standing, newest = ledger.standing(), ledger.newest()
            place = self._place
            if place is not None and _is_another(ledger, newest, place):
                place = Cursor(ledger.newest_before(place.at), place.at)
            done = [] if place is None else list(ledger.done_after(place.newest))
            known = {job.id for job in done}
            numbers = [*changes.gone(self._standing, standing), *changes.failed(self._standing, standing)]
            ended = [job for number in numbers if number not in known and (job := ledger.find(number)) is not None]
            working = ledger.jobs(UNDER_WAY)
            came = _came(ledger, newest)
        if not has_wal and os.path.lexists(f"{self._path}-wal"):
            raise LedgerError("the daemon has begun to write the ledger while it was read")
        found = list(changes.notices(sorted([*done, *ended], key=_end), self._views.job))
        found += changes.notices(working, self._views.job)
        return self._store(found, now, Cursor(newest, now, came), standing, is_first=place is None)

    def _store(
        self, found: list[Notice], now: float, place: Cursor, standing: dict[int, str], *, is_first: bool = False
    ) -> list[Notice]:
        changed = {number: mark for number, mark in standing.items() if self._standing.get(number) != mark}
        gone = changes.gone(self._standing, standing)
        new: list[Notice] = []
        if found or changed or gone or self._place is None or place.newest != self._place.newest:
            receivers = () if is_first else self._receivers
            new = self._record.store(found, receivers, now, place=place, standing=(changed, gone))
            self._standing, self._place = standing, place
        return [] if is_first else new

    def _daemon(self, ledger: Followed, now: float) -> list[Notice]:
        status = self._views.status(ledger)
        memory = status["memory"]
        down = _down(self._pulse, status["daemon"])
        reasons = down or (_reasons(status) if self._views.health(status, now) else [])
        sight = spans.Sight(reasons, memory["level"], memory["percent"], works=not down)
        after, found = spans.step(self._spans, sight, now)
        if after == self._spans:
            return []
        new = self._record.store(found, self._receivers, now, spans=after)
        self._spans = after
        return new


def _is_another(ledger: Followed, newest: int, place: Cursor) -> bool:
    """Whether it is another ledger than the one of the last look, or one that was made anew."""
    came = _came(ledger, place.newest)  # None: that job may be forgotten
    return newest < place.newest or (None not in (came, place.came) and came != place.came)


def _came(ledger: Followed, number: int) -> float | None:
    job = ledger.find(number)
    return None if job is None else job.created_at


def _end(job: Job) -> float:
    return job.finished_at or 0.0


def _down(path: Path, daemon: Mapping[str, Any]) -> list[str]:
    """Why no work is done at all: the daemon does not run, or hangs. Its other figures are out of date then."""
    if not daemon["running"]:
        return ["the daemon does not run"]
    quiet = figures.silence(pulse.silent(path, daemon.get("pid")))
    return [figures.hangs(quiet)] if quiet else []


def _reasons(status: Mapping[str, Any]) -> list[str]:
    """Why work is held up, as `sttd status` has it."""
    away = status["inbox"]["away"]
    found = [*status["trouble"], *([f"the inbox is away: {away}"] if away else [])]
    return list(map(printable, found or [each["name"] for each in status["operations"]]))


def _signature(path: Path) -> _Signature:
    """Inode, size and time of the ledger and of its WAL: each change of the ledger changes them."""
    found: list[tuple[int, int, int] | None] = []
    for name in (path, path.with_name(f"{path.name}-wal")):
        try:
            seen = name.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((seen.st_ino, seen.st_size, seen.st_mtime_ns))
    return tuple(found)
