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
    ledger, now = context.ledger, context.utc()
    keep = context.config.output.source == "keep"
    restart: list[tuple[Job, Identity]] = []
    with ledger.transaction():
        for source, identity in event.files:
            latest = ledger.latest(source)
            in_inbox = latest is not None and left_in_inbox(latest, keep)
            arrival = judge(latest, identity, in_inbox=in_inbox)
            if arrival is Arrival.NEW or latest is None:
                if latest is not None:
                    ledger.update(latest, location="")  # what it was about is no longer there
                job = ledger.add(source, identity, now)
                text = f"job {job.id}: {printable(source)} is queued ({identity.size} bytes)"
                say(Kind.JOB_QUEUED, text, job, size=identity.size)
            elif arrival is Arrival.CHANGED:
                ledger.update(latest, **fresh(identity))
                say(
                    Kind.JOB_CHANGED,
                    f"job {latest.id}: {printable(source)} has changed and is taken as it is now",
                    latest,
                )
            elif arrival is Arrival.BACK:
                ledger.update(latest, state=State.QUEUED, queued_at=now, not_before=0.0, error=None, cause=None)
                say(Kind.JOB_QUEUED, f"job {latest.id}: {printable(source)} is back and queued again", latest)
            elif arrival is Arrival.RESTART:
                restart.append((latest, identity))
    for job, _ in restart:
        # the end of the attempt looks at the file and queues the job with what it finds
        stop_running(context, job.id, Cause.CHANGED, "the file has changed")


def gone(context: Context, event: Gone) -> None:
    """Sources that are no longer there, as the inbox made sure."""
    ledger, now = context.ledger, context.utc()
    with ledger.transaction():
        for source in event.files:
            latest = ledger.latest(source)
            if latest is None:
                continue
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
