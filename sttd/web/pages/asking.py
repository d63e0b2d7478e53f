"""What a person asks the daemon for by a button: a request in the spool, as the commands leave it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

from sttd.config import Config
from sttd.job import Job
from sttd.ledger import Ledger, Request as Asked
from sttd.ledger.names import SPOOL
from sttd.ledger.request import Ask
from sttd.rules import refusals
from sttd.text import sentence
from sttd.view import access
from sttd.web.pages import meaning

_LONGEST = 4096  # bytes of a form


# what a job's page offers, and why that cannot be done
ABOUT_A_JOB: dict[Ask, tuple[str, Callable[[Job], str]]] = {
    Ask.NEXT: ("Transcribe it next", refusals.of_next),
    Ask.RETRY: ("Try again", refusals.of_retry),
    # whether the source is still there the daemon sees: here a share that hangs would hold up a thread
    Ask.REDO: ("Transcribe it anew", refusals.of_redo),
    Ask.CANCEL: ("Cancel", refusals.of_cancel),
}
_ABOUT_ALL = frozenset({Ask.PAUSE, Ask.RESUME, Ask.RETRY_FAILED})


def may_ask(config: Config) -> bool:
    """Whether this process may leave requests."""
    folder = config.paths.state / SPOOL
    return os.access(folder, os.W_OK | os.X_OK) or (not folder.exists() and os.access(folder.parent, os.W_OK))


def offers(job: Job) -> Iterator[tuple[str, str]]:
    """What can be asked about a job: the name of the request, and what its button says, in English."""
    for kind, (title, refusal) in ABOUT_A_JOB.items():
        if refusal(job) or (kind is Ask.REDO and not refusals.of_retry(job)):  # then it does what "Try again" does
            continue
        yield str(kind), title


def leave(config: Config, name: str, job: Job | None) -> str:
    """Leave a request; returns the name by which its answer is found.

    Raises:
        HTTPException: there is no such request.
        NotAllowed: this process may not ask.
    """
    known = _ABOUT_ALL if job is None else ABOUT_A_JOB.keys()
    kind = next((each for each in known if each == name), None)
    if kind is None:
        raise HTTPException(400, "a form without what it asks for")
    return access.ask(config, Asked(kind, None if job is None else job.id))


def said(ledger: Ledger, request: Request) -> meaning.Said | None:
    """What the daemon says to the request that the address names; None: none. An address can say nothing by itself."""
    name = request.query_params.get("request")
    if name is None:
        return None
    found = ledger.answer(name)
    if found is None or found.ok is None:
        return meaning.Said("", meaning.ASKED)
    return meaning.Said(sentence(found.text), meaning.ANSWERS[found.ok])


async def fields(request: Request) -> dict[str, str]:
    """The fields of a form of a common length."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST:
            raise HTTPException(413, "the form is too large")
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
