"""Where a submitted file stands: not taken yet, at work, or at an end."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException

from sttd.config import Config
from sttd.inbox.scan import look as look_at
from sttd.job import ENDED, Job, State
from sttd.ledger import Ledger
from sttd.ledger.facts import FIRST, PAUSED
from sttd.view import access
from sttd.web.api.ticket import Ticket
from sttd.web.api.upload import in_words, inbox
from sttd.web.site import Site

_UNKNOWN = (
    "the inbox has no such file, and the ledger no job about it: it was removed before it was taken, or its job is older than "
    "retention.ledger_age"
)


class Stand(enum.StrEnum):
    """What programs are told; beside these the names of `State`, where COMMITTING counts as RUNNING."""

    WAITING = "waiting"  # the file lies in the inbox, and the daemon has not taken it
    REPLACED = "replaced"  # somebody has changed the file before it was transcribed


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one ticket."""

    ticket: Ticket
    state: str
    words: str  # the same for a person, as one sentence
    job: Job | None = None
    ahead: int | None = None  # jobs that are older and wait too

    @property
    def has_ended(self) -> bool:
        return self.state == Stand.REPLACED or (self.job is not None and self.job.state in ENDED)

    @property
    def progress(self) -> float | None:
        """How much of the recording is transcribed, 0 to 1; None where it is not known."""
        if self.job is None or self.state == State.DONE:
            return None if self.job is None else 1.0
        length = self.job.audio_seconds
        return min(1.0, self.job.progress / length) if length else None

    def figures(self) -> dict[str, Any]:
        """For programs. Keys are never renamed or removed."""
        job = self.job
        found: dict[str, Any] = {"ticket": str(self.ticket), "name": self.ticket.name, "state": self.state}
        found |= {"detail": self.words, "job": job and job.id, "ahead": self.ahead, "progress": self.progress}
        if job is not None:
            names = ("audio_seconds", "language", "model", "requested_model", "fallback_reason", "warnings")
            found |= {name: getattr(job, name) for name in names}
        return found


def look(site: Site, ticket: Ticket) -> Standing:
    """How a ticket stands now.

    Raises:
        HTTPException: 404, neither the ledger nor the inbox knows the file; 503, the inbox cannot be looked at.
        LedgerError: the ledger cannot be looked at.
    """
    if not access.has_ledger(site.config):
        return _before_taken(site.config, ticket)
    with site.ledger() as ledger:
        job = ledger.about(ticket.source, ticket.identity)
        if job is not None:
            return _of(ledger, ticket, job)
        try:
            return _before_taken(site.config, ticket)
        except HTTPException as error:
            job = ledger.about(ticket.source, ticket.identity)  # it may have been taken, and moved, in between
            if job is not None:
                return _of(ledger, ticket, job)
            if error.status_code != 404:
                raise
            return _replaced(ledger, ticket)


def _replaced(ledger: Ledger, ticket: Ticket) -> Standing:
    """A file that is known in another version. Raises HTTPException (404) where it is not."""
    newest = ledger.newest_at(ticket.source)
    if newest is None or newest.created_at * 1e9 < ticket.identity.mtime_ns:
        raise HTTPException(404, _UNKNOWN)
    words = f"the file was changed before it was transcribed: job {newest.id} is about it as it is now"
    return Standing(ticket, Stand.REPLACED, words)


def _before_taken(config: Config, ticket: Ticket) -> Standing:
    """Raises HTTPException: 404, the file is not in the inbox; 503, the inbox is away, and what is in it not known."""
    with in_words():
        seen = look_at(os.fspath(config.paths.inbox), ticket.source)
    if seen != ticket.identity:
        with inbox(config.paths.inbox):
            raise HTTPException(404, _UNKNOWN)
    words = "sttd takes it when it has settled" if access.is_running(config) else "sttd is not running: start it"
    return Standing(ticket, Stand.WAITING, words)


def _of(ledger: Ledger, ticket: Ticket, job: Job) -> Standing:
    match job.state:
        case State.QUEUED:
            ahead, _ = ledger.ahead(job)
            return Standing(ticket, State.QUEUED, _waits(ledger, job, ahead), job, ahead)
        case State.RUNNING:
            return Standing(ticket, State.RUNNING, "it is being transcribed", job)
        case State.COMMITTING:
            return Standing(ticket, State.RUNNING, "its results are being put in place", job)
        case State.DONE:
            return Standing(ticket, State.DONE, "it is transcribed", job)
        case State.CANCELLED:
            return Standing(ticket, State.CANCELLED, f"it was cancelled: `sttd retry {job.id}` queues it again", job)
        case State.FAILED | State.VANISHED:
            return Standing(ticket, job.state, job.error or "no reason is known", job)


def _waits(ledger: Ledger, job: Job, ahead: int) -> str:
    if ledger.fact(PAUSED):
        return "the queue is paused: `sttd resume`"
    if job.copy_of is not None:
        return f"it has the content of job {job.copy_of} and gets the result of that"
    if job.error:
        return f"it waits: {job.error}"
    if job.id in ledger.fact(FIRST):
        return "it is among the next"
    return f"it waits for a worker, behind {ahead} older " + ("job" if ahead == 1 else "jobs")
