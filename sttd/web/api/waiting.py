"""Waiting for a job with a client that waits on the line: it comes before all others, and its end is noticed at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest

from sttd.errors import SttdError
from sttd.job import Job, State
from sttd.ledger import LEDGER, Ask, Request
from sttd.ledger.facts import FIRST
from sttd.view import access
from sttd.web.api.standing import Standing, look
from sttd.web.api.ticket import Ticket
from sttd.web.site import Site

RETRY_AFTER = 30  # seconds
_QUEUED = 1.0  # seconds after which a job that no worker has taken is to be the next
_TICK = 0.1  # seconds between two looks whether the ledger has changed
_STALE = 5.0  # seconds after which it is read all the same


async def until_ended(
    site: Site, ticket: Ticket, seconds: float, is_gone: Callable[[], Awaitable[bool]]
) -> Standing | None:
    """Where the file stands when its job has ended, or after so many seconds.

    Args:
        site: of this server.
        ticket: of the file.
        seconds: for which the client is made to wait.
        is_gone: whether the client has gone.

    Returns:
        None: the client has gone. The job stays as it is.
    """
    begun, asked = time.monotonic(), False
    end = begun + seconds
    while True:
        before = _stamp(site)
        found = await run_in_threadpool(look, site, ticket)
        left = end - time.monotonic()
        if found.has_ended or left <= 0:
            return found
        waits = found.state == State.QUEUED and not asked
        if waits and time.monotonic() - begun >= _QUEUED:
            await run_in_threadpool(_put_first, site, found)
            asked, waits = True, False
        read_again = time.monotonic() + min(left, _QUEUED if waits else _STALE)
        while _stamp(site) == before and time.monotonic() < read_again:
            await asyncio.sleep(_TICK)
            if await is_gone():
                return None


def _put_first(site: Site, found: Standing) -> None:
    """Ask for the job to be the next, as `sttd next` does. Where that is not possible its turn comes all the same."""
    job = found.job
    if job is None or job.copy_of is not None:
        return
    with contextlib.suppress(SttdError, OSError):
        with site.ledger() as ledger:
            if job.id in ledger.fact(FIRST):
                return
        access.ask(site.config, Request(Ask.NEXT, job.id))


def _stamp(site: Site) -> list[tuple[int, int, int] | None]:
    """Changes with each transaction of the ledger, and as its daemon starts and ends. The state folder is on a local disk."""
    ledger = site.config.paths.state / LEDGER
    return [_seen(ledger), _seen(ledger.with_name(f"{LEDGER}-wal"))]


def _seen(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


async def finished(site: Site, request: HttpRequest, ticket: Ticket) -> Job | None:
    """The job of a file, once it is done; None: the client has gone.

    Raises:
        HTTPException: 503, it is not done in time; 422, it failed; 410, nothing will come of it.
    """
    headers = {"X-Sttd-Ticket": str(ticket), "Location": f"/api/v1/jobs/{ticket}"}
    found = await until_ended(site, ticket, site.config.web.wait, request.is_disconnected)
    if found is None or (found.state == State.DONE and found.job is not None):
        return None if found is None else found.job
    if not found.has_ended:
        later = f"it is not transcribed yet ({found.words}): ask again with the same file, or for the ticket"
        raise HTTPException(503, later, headers | {"Retry-After": str(RETRY_AFTER)})
    raise HTTPException(422 if found.state == State.FAILED else 410, f"it was not transcribed: {found.words}", headers)
