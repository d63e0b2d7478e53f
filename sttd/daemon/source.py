"""Where a job's source is, and what follows if it is not the file that was queued any more."""

from __future__ import annotations

import os
import stat
from typing import Any

from sttd.daemon.context import Context
from sttd.host.events import Kind, say
from sttd.job import Identity, Job, State
from sttd.ledger.fresh import fresh
from sttd.part import Cause
from sttd.rules.arrival import left_in_inbox
from sttd.rules.lookback import ages
from sttd.text import printable


def source_path(context: Context, job: Job) -> str:
    """The path of a job's source."""
    return job.location or context.places.path_of(job.source)


def source_below(context: Context, job: Job) -> str:
    """The inbox that it lies in, below which everybody may put a link; "" where it lies in a folder of the service's own."""
    found = context.places.inbox_of(job.source, job.location)
    return "" if found is None else str(found[1])


def start_anew(context: Context, job: Job, *, settled: bool) -> Job:
    """The source is not what was queued: the job takes the file as it is now, once it has settled.

    If there is no regular file any more (a link in its place, for instance), the inbox makes sure that it is gone.

    Args:
        context: of the loop.
        job: which has begun.
        settled: the inbox has reported the file as it is now. If not, it will: until then the writer may be at work,
            and each attempt would be for nothing.
    """
    config, now = context.config.of(job.source), context.utc()
    context.shared.listener.anew(job)
    context.shared.told.pop(job.id, None)
    identity = _as_it_is(source_path(context, job))
    waiting: dict[str, Any] = {"not_before": now + config.settle(), "queued_at": now}
    if job.location is not None:  # no event says when a file outside the inbox has settled; its time of change does
        quiet = identity is not None and now - identity.mtime_ns / 1e9 >= config.settle()
        waiting["not_before"] = now if quiet else now + max(config.settle(), ages(config.watch.patience)[0])
    elif not settled and context.inbox is not None:
        waiting |= {"not_before": now + max(config.settle(), config.watch.patience), "cause": Cause.CHANGED}
    if identity == job.identity:  # it changed for a moment only, or its worker is wrong: wait before the next try
        waiting["not_before"] = max(waiting["not_before"], now + config.pool.machine_wait)
    else:
        context.judging.claims.forget(job.id)
    if identity is None:
        gone = {
            "cause": Cause.GONE,
            "error": "there is no regular file any more",
            "not_before": now + config.pool.machine_wait,
        }
        job = context.ledger.update(job, state=State.QUEUED, **fresh(job.identity) | waiting | gone)
        look_for(context, job)
        return job
    say(Kind.JOB_CHANGED, f"job {job.id}: {printable(job.source)} has changed and starts again as it is now", job)
    return context.ledger.update(job, state=State.QUEUED, **fresh(identity) | waiting)


def _as_it_is(path: str) -> Identity | None:
    """The regular file at `path` as it is now; None: there is none. A link is not followed.

    lstat(2) on the loop is safe: a worker, or an errand, has just looked at the file, so its mount answers.
    """
    try:
        seen = os.lstat(path)
    except OSError:
        return None
    return Identity.of(seen) if stat.S_ISREG(seen.st_mode) else None


def is_as_queued(context: Context, job: Job) -> bool:
    """Whether the file is the one that the job is about. Safe on the loop: see `_as_it_is`."""
    return _as_it_is(source_path(context, job)) == job.identity


def look_for(context: Context, job: Job) -> None:
    """A source is not there. The inbox may have reported that while the job ran: it makes sure again, and reports again."""
    if context.inbox is not None and job.location is None:
        context.inbox.expect([job.source])


def look_again(context: Context, job: Job) -> None:
    """The job has ended. A new file may have come under the same name before, when it was not taken for a new one."""
    if context.inbox is not None and job.location is None:
        context.recordings.taken.note(job.source, context.clock())
        context.inbox.forget(job.source)
        after = context.ledger.find(job.id)
        if after is not None and left_in_inbox(after):  # if it was taken away meanwhile, the inbox reports Gone
            context.inbox.expect([job.source])
