"""What people ask for on the command line, acted on within a second, or at the next start."""

from __future__ import annotations

import dataclasses

from sttd.daemon import attempts, filing
from sttd.daemon.context import Context
from sttd.errors import NoSuchJob
from sttd.host.events import Kind, say
from sttd.job import Job, Overrides, State
from sttd.ledger import Request
from sttd.part import Cause
from sttd.text import printable

RETRIED = (State.FAILED, State.CANCELLED, State.VANISHED)


def take(context: Context) -> None:
    """Act on every request that waits; each is dropped in the transaction that does it."""
    for number, request in context.ledger.take_requests():
        with context.ledger.transaction():
            act(context, request)
            context.ledger.drop_request(number)


def act(context: Context, request: Request) -> None:
    if request.kind in ("pause", "resume"):
        context.ledger.set_fact("paused", request.kind == "pause")
        if request.kind == "pause":
            say(Kind.QUEUE_PAUSED, "paused: running jobs end, no other starts")
        else:
            say(Kind.QUEUE_RESUMED, "resumed")
        return
    if request.kind == "retry-failed":
        for job in context.ledger.jobs([State.FAILED], newest=False):
            retry(context, job)
        return
    try:
        job = context.ledger.get(request.job or 0)
    except NoSuchJob as error:
        say(Kind.REQUEST_REFUSED, f"{printable(request.kind)} {request.job}: {error}")
        return
    match request.kind:
        case "retry":
            retry(context, job)
        case "cancel":
            cancel(context, job)
        case "redo":
            redo(context, job, Overrides(request.arguments.get("model"), request.arguments.get("language")))
        case _:
            say(Kind.REQUEST_REFUSED, f"request {printable(request.kind)} is not known to this version", job)


def retry(context: Context, job: Job) -> None:
    """Queue an ended job again, with all of its attempts, from its checkpoint."""
    if job.state not in RETRIED or job.plan is not None:
        say(Kind.REQUEST_REFUSED, f"job {job.id}: it is {job.state}, which cannot be tried again", job)
        return
    latest = context.ledger.latest(job.source)
    if not job.location and latest is not None and latest.id != job.id:
        text = f"job {job.id}: {printable(job.source)} is another file by now, which job {latest.id} is about"
        say(Kind.REQUEST_REFUSED, text, job)
        return
    now = context.utc()
    changes = {
        "attempts": 0,
        "not_before": 0.0,
        "error": None,
        "cause": None,
        "finished_at": None,
        "copy_of": None,
        "no_copy": False,
    }
    context.ledger.update(job, state=State.QUEUED, queued_at=now, location=job.location or None, **changes)
    say(Kind.JOB_QUEUED, f"job {job.id}: {printable(job.source)} is queued again", job)


def cancel(context: Context, job: Job) -> None:
    """Take a waiting job out of the queue, or end a running one. Its source stays where it is."""
    if job.state is State.QUEUED:
        context.ledger.update(
            job, state=State.CANCELLED, cause=Cause.CANCELLED, copy_of=None, finished_at=context.utc()
        )
        say(Kind.JOB_CANCELLED, f"job {job.id}: {printable(job.source)} is cancelled", job)
    elif job.state is State.RUNNING:
        attempts.stop(context, job.id, Cause.CANCELLED, "cancelled")
    elif job.state is State.COMMITTING:
        filing.cancel(context, job)
    else:
        say(Kind.REQUEST_REFUSED, f"job {job.id}: it is {job.state}, which cannot be cancelled", job)


def redo(context: Context, job: Job, overrides: Overrides) -> None:
    """A new job from the source of a finished one, with another model or language; the old result stays."""
    if job.state is not State.DONE or job.location == "":
        text = f"job {job.id}: it is {job.state} and its source is not kept, so that it cannot be done again"
        say(Kind.REQUEST_REFUSED, text, job)
        return
    new = context.ledger.add(
        job.source, job.identity, context.utc(),
        location=job.location, redo_of=job.id, sha256=job.sha256, overrides=overrides,
    )  # fmt: skip
    words = ", ".join(f"{name} {value}" for name, value in dataclasses.asdict(overrides).items() if value)
    text = f"job {new.id}: {printable(job.source)} is done again ({printable(words) or 'as configured'})"
    say(Kind.JOB_QUEUED, text, new, redo_of=job.id)
