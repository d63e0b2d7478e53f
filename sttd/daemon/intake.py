"""From the inbox to the ledger: which files are new jobs, which are known, which came back or changed."""

from __future__ import annotations

from sttd.daemon import attempts
from sttd.daemon.context import Context
from sttd.host.events import Kind, say
from sttd.inbox import Found, Gone
from sttd.job import Identity, Job, State
from sttd.ledger.fresh import fresh
from sttd.part import Cause
from sttd.rules.arrival import Arrival, judge, left_in_inbox
from sttd.text import printable


def found(context: Context, event: Found) -> None:
    """Settled files: queue them, all in one transaction."""
    restart: list[Job] = []
    with context.ledger.transaction():
        latest = context.ledger.latest_of([source for source, _ in event.files])
        for source, identity in event.files:
            if context.taken.since(source, event.looked):
                continue  # what has its name now, if anything, is told anew: see source.look_again
            before = latest.get(source)
            in_inbox = before is not None and left_in_inbox(before)
            arrival = judge(before, identity, in_inbox=in_inbox)
            if arrival is Arrival.NEW or before is None:
                latest[source] = _add(context, before, source, identity)  # it may be told of twice in one event
            elif arrival is Arrival.RESTART:
                restart.append(before)
            elif arrival is not Arrival.KNOWN:
                latest[source] = _take_up(context, before, identity, arrival)
    for job in restart:
        # the end of the attempt looks at the file and queues the job with what it finds
        attempts.stop(context, job.id, Cause.CHANGED, "the file has changed")


def _add(context: Context, before: Job | None, source: str, identity: Identity) -> Job:
    """A new job; what the one `before` was about is no longer there."""
    if before is not None:
        context.ledger.update(before, location="")
    job = context.ledger.add(source, identity, context.utc())
    text = f"job {job.id}: {printable(source)} is queued ({identity.size} bytes)"
    say(Kind.JOB_QUEUED, text, job, size=identity.size)
    return job


def _take_up(context: Context, job: Job, identity: Identity, arrival: Arrival) -> Job:
    """A job that is there already, about the file as it is now, or queued again because it is back."""
    if arrival is Arrival.CHANGED:
        job = context.ledger.update(job, **fresh(identity))
        text = f"job {job.id}: {printable(job.source)} has changed and is taken as it is now"
        say(Kind.JOB_CHANGED, text, job)
    else:
        again = {"queued_at": context.utc(), "not_before": 0.0, "error": None, "cause": None}
        job = context.ledger.update(job, state=State.QUEUED, **again)
        say(Kind.JOB_QUEUED, f"job {job.id}: {printable(job.source)} is back and queued again", job)
    return job


def gone(context: Context, event: Gone) -> None:
    """Sources that are no longer there, as the inbox made sure."""
    ledger, now = context.ledger, context.utc()
    with ledger.transaction():
        for source, latest in ledger.latest_of(event.files).items():
            if latest.state is State.QUEUED:
                error = "the file is gone from the inbox; put it back and it is queued again"
                ledger.update(latest, state=State.VANISHED, error=error, cause=Cause.GONE, finished_at=now)
                say(Kind.JOB_VANISHED, f"job {latest.id}: {printable(source)} is gone from the inbox", latest)
            elif latest.state in (State.CANCELLED, State.DONE, State.FAILED) and latest.location is None:
                # should it come back, it is a new job
                ledger.update(latest, location="")
