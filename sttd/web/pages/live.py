"""What changes while somebody looks: one look a second for all who do, told to each when something is new (server-sent events)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from sttd.cli import figures
from sttd.cli.access import NotAllowed
from sttd.cli.progress import At, Paces, Picture
from sttd.errors import LedgerError
from sttd.job import Job
from sttd.ledger.names import LEDGER
from sttd.web.site import Site

LOOK = 1.0  # seconds; the daemon writes its figures as often
_SIGN_OF_LIFE = 15.0  # seconds: a connection whose browser is gone is found out by writing


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things stand."""

    status: dict[str, Any]  # see `cli.figures.status`
    jobs: dict[int, Job] = field(default_factory=dict)  # that workers have
    left: dict[int, float] = field(
        default_factory=dict, compare=False
    )  # seconds until they are done, where that is known
    ledger: tuple[int, ...] = ()  # changes with every change of a job
    drawn: dict[str, str] = field(default_factory=dict, compare=False)  # as HTML, by language


def look(site: Site, paces: Paces | None = None) -> Snapshot:
    """How things stand now. What cannot be read is a trouble like others."""
    try:
        status = site.status()
        numbers = [worker["job"] for worker in status["workers"] if worker["job"] is not None]
        jobs = _jobs(site, numbers)
    except (LedgerError, NotAllowed) as error:
        status = figures.status(None, running=False)
        status["trouble"] = [str(error)]
        return Snapshot(status)
    left = {}
    if paces is not None:
        left = dict(_left(paces, status, jobs))
    return Snapshot(status, jobs, left, _revision(site.config.paths.state / LEDGER))


def _jobs(site: Site, numbers: list[int]) -> dict[int, Job]:
    if not numbers:
        return {}
    with site.ledger() as ledger:
        found = (ledger.find(number) for number in numbers)
        return {job.id: job for job in found if job is not None}


def _left(paces: Paces, status: dict[str, Any], jobs: dict[int, Job]) -> Iterator[tuple[int, float]]:
    at = {
        worker["job"]: At(worker["done"] or 0.0, worker["total"], worker["attempt"] or 1, worker["resumed_at"] or 0.0)
        for worker in status["workers"]
        if worker["job"] is not None
    }
    now = time.monotonic()
    paces.note(Picture(tuple(jobs.values()), at), now)
    paces.keep(at.keys())
    for number, where in at.items():
        pace = paces.of(jobs[number], where) if number in jobs else None
        seconds = None if pace is None or not where.total else pace.left(where.total, now)
        if seconds is not None:
            yield number, seconds


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
        if self._task is None:
            self._task = asyncio.create_task(self._watch())
        shown: Snapshot | None = None
        try:
            while True:
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
