"""What changes while somebody looks: one look a second for all who do, told to each when something is new (server-sent events)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from sttd.errors import LedgerError
from sttd.ledger.names import LEDGER
from sttd.view import figures, outlook
from sttd.view.access import NotAllowed
from sttd.web.site import Site

LOOK = 1.0  # seconds; the daemon writes its figures as often
_FRESH = 0.5  # seconds
_SIGN_OF_LIFE = 15.0  # seconds: a connection whose browser is gone is found out by writing


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things stand."""

    status: dict[str, Any]  # see `view.figures.status` and `view.outlook.add`
    ledger: tuple[int, ...] = ()  # changes with every change of a job
    drawn: dict[str, str] = field(default_factory=dict, compare=False)  # as HTML, by language

    def worker_of(self, job: int) -> dict[str, Any] | None:
        """The worker that has a job."""
        return next((each for each in self.status["workers"] if each["job"] == job), None)

    def ends_at(self, job: int) -> float | None:
        """When a job that waits will be done, as far as that is known; UTC seconds."""
        return next((each["ends_at"] for each in self.status["waiting"] if each["id"] == job), None)


class Looks:
    """Looks at the ledger for all who ask: with 100,000 jobs a look takes 30 ms, and who follows would make many."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._latest: Snapshot | None = None
        self._fresh_until = 0.0  # monotonic

    def now(self) -> Snapshot:
        """How things stand, or stood a moment ago."""
        with self._lock:
            if self._latest is None or time.monotonic() >= self._fresh_until:
                self._latest = _look(self._site)
                self._fresh_until = time.monotonic() + _FRESH
            return self._latest


def _look(site: Site) -> Snapshot:
    """What cannot be read is a trouble like others."""
    try:
        status = site.status()
        with site.ledger() as ledger:
            outlook.add(status, ledger, site.config.worker_count(), time.time())
    except (LedgerError, NotAllowed) as error:
        status = figures.status(None, running=False)
        status["trouble"] = [str(error)]
        return Snapshot(status)
    return Snapshot(status, _revision(site.config.paths.state / LEDGER))


def _revision(path: Path) -> tuple[int, ...]:
    """A mark of the ledger's file and its WAL: each transaction changes it."""
    found: list[int] = []
    for each in (path, path.with_name(f"{path.name}-wal")):
        with contextlib.suppress(OSError):
            seen = os.stat(each)  # noqa: PTH116 - the numbers alone
            found += [seen.st_ino, seen.st_size, seen.st_mtime_ns]
    return tuple(found)


class Live:
    """Looks while somebody follows, and not when nobody does. To be used within the server's event loop."""

    def __init__(self, look: Callable[[], Snapshot]) -> None:
        self._look = look
        self._latest: Snapshot | None = None
        self._followers = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def follow(self) -> AsyncIterator[Snapshot | None]:
        """How things stand, and again whenever that has changed; None, where it has not for a while."""
        self._followers += 1
        shown: Snapshot | None = None
        try:
            while True:
                if self._task is None:  # nobody followed, or a fault has ended it
                    self._task = asyncio.create_task(self._watch())
                changed = self._changed
                if self._latest is not None and self._latest is not shown:
                    shown = self._latest
                    yield shown
                    continue
                try:
                    await asyncio.wait_for(changed.wait(), _SIGN_OF_LIFE)
                except TimeoutError:
                    yield None
        finally:
            self._followers -= 1

    async def _watch(self) -> None:
        try:
            while self._followers:
                found = await run_in_threadpool(self._look)
                if found != self._latest:
                    self._latest = found
                    changed, self._changed = self._changed, asyncio.Event()
                    changed.set()
                await asyncio.sleep(LOOK)
        finally:
            self._latest, self._task = None, None  # the next one who follows does not get what was true long ago
