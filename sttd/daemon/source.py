"""Where the bytes of a job lie, and what becomes of it when they are others than were queued."""

from __future__ import annotations

import os

from sttd.daemon.context import Context
from sttd.host.events import Kind, say
from sttd.job import Identity, Job, State
from sttd.ledger.fresh import fresh
from sttd.text import printable


def source_path(context: Context, job: Job) -> str:
    """Where the bytes of a job lie."""
    return job.location or os.path.join(context.config.paths.inbox, job.source)  # noqa: PTH118 - bytes-safe strings


def start_anew(context: Context, job: Job) -> Job:
    """The source is not what was queued: the job is about the file as it is now, once it has settled."""
    try:
        # the stat may be made here: a worker, or an errand, has just looked at the file, so that its mount answers
        identity = Identity.of(os.stat(source_path(context, job)))  # noqa: PTH116
    except OSError:
        identity = job.identity  # the inbox will tell that it is gone
    now = context.utc()
    changes = fresh(identity) | {"not_before": now + context.config.settle(), "queued_at": now, "options_key": None}
    say(Kind.JOB_CHANGED, f"job {job.id}: {printable(job.source)} has changed and starts again as it is now", job)
    return context.ledger.update(job, state=State.QUEUED, **changes)


def look_for(context: Context, job: Job) -> None:
    """A source is not there. The inbox may have told so while the job ran: it makes sure again, and tells again."""
    if context.inbox is not None and job.location is None:
        context.inbox.expect([job.source])


def look_again(context: Context, job: Job) -> None:
    """The job has ended. A new file may have come under its name before, and was not taken for one then."""
    if context.inbox is not None and job.location is None:
        context.taken.note(job.source, context.clock())
        context.inbox.forget(job.source)
