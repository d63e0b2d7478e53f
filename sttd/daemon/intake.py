"""From the inbox to the ledger: which files are new jobs, which are known, which came back or changed."""

from __future__ import annotations

import enum

from sttd.daemon import filing
from sttd.daemon.context import Context
from sttd.host.events import Kind, say
from sttd.inbox import Away, Found, Gone
from sttd.job import Identity, Job, State
from sttd.ledger.fresh import fresh
from sttd.part import Cause
from sttd.text import printable


class Arrival(enum.Enum):
    """What a settled file means."""

    NEW = "a new job"
    KNOWN = "nothing: the job is there"
    CHANGED = "its waiting job is about the file as it is now"
    RESTART = "its running job starts again with the file as it is now"
    BACK = "its ended job is queued again"


def judge(latest: Job | None, found: Identity, *, in_inbox: bool) -> Arrival:
    """What a settled file means, given the newest job of its path.

    Args:
        latest: that job, if there was one; it is about the file in the inbox, and not one that lies elsewhere.
        found: the file as it is now.
        in_inbox: the job's source was left in the inbox when it ended, so that finding it says nothing.
    """
    if latest is None:
        return Arrival.NEW
    same = latest.identity == found
    if latest.plan is not None:
        # while it is being filed away, or put aside, the file may be seen once more; the inbox tells again afterwards
        return Arrival.KNOWN
    if latest.state is State.QUEUED:
        return Arrival.KNOWN if same else Arrival.CHANGED
    if latest.state is State.RUNNING:
        return Arrival.KNOWN if same else Arrival.RESTART
    if latest.state is State.VANISHED:
        return Arrival.BACK if same else Arrival.NEW
    return Arrival.KNOWN if same and in_inbox else Arrival.NEW


def left_in_inbox(job: Job, keep: bool) -> bool:
    """Whether the source of an ended job still lies in the inbox."""
    if job.state is State.CANCELLED:
        return job.location is None
    return job.state is State.DONE and keep and job.location is None


def found(context: Context, event: Found) -> None:
    """Settled files: queue them, all in one transaction."""
    restart: list[Job] = []
    with context.ledger.transaction():
        latest = context.ledger.latest_of([source for source, _ in event.files])
        for source, identity in event.files:
            before = latest.get(source)
            in_inbox = before is not None and left_in_inbox(before, context.config.output.source == "keep")
            arrival = judge(before, identity, in_inbox=in_inbox)
            if arrival is Arrival.NEW or before is None:
                latest[source] = _add(context, before, source, identity)  # it may be told of twice in one event
            elif arrival is Arrival.RESTART:
                restart.append(before)
            elif arrival is not Arrival.KNOWN:
                latest[source] = _take_up(context, before, identity, arrival)
    for job in restart:
        # the end of the attempt looks at the file and queues the job with what it finds
        stop_running(context, job.id, Cause.CHANGED, "the file has changed")


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
                filing.release_twins(context, latest.id)
                say(Kind.JOB_VANISHED, f"job {latest.id}: {printable(source)} is gone from the inbox", latest)
            elif latest.state in (State.CANCELLED, State.DONE):
                # should it come back, it is a new job
                ledger.update(latest, location="")


def away(context: Context, event: Away) -> None:
    """The inbox cannot be looked at, or can be again."""
    if event.reason is None:
        context.trouble.pop("inbox", None)
        say(Kind.INBOX_BACK, "the inbox is back")
    else:
        say(Kind.INBOX_AWAY, f"the inbox is away: {event.reason}; what waits goes on waiting", error=event.reason)
        context.say("inbox", f"inbox away: {event.reason}", 0.0)


def stop_running(context: Context, job_id: int, cause: Cause, why: str) -> None:
    """Kill the attempt of a job, if there is one."""
    for running in context.running.values():
        if running.job.id == job_id and running.why is None:
            running.why = why
            context.pool.kill(running.spec.part_id, running.spec.attempt, cause)
