"""A file that could not be read once is looked at before each further attempt, so that waiting for it costs none.

Waits grow with the time that it has waited already. The log has one line when that begins, and one when it is over.
"""

from __future__ import annotations

import os

from sttd.daemon.context import Context
from sttd.daemon.source import source_path
from sttd.errors import SttdError
from sttd.fs.regular import open_regular
from sttd.fs.rights import why_unreadable
from sttd.host.events import Kind, say
from sttd.job import Job
from sttd.part import Cause
from sttd.rules.due import growing
from sttd.text import printable

MOST = 64  # files that are looked at at a time
LONGEST = 20.0  # times `pool.machine_wait`: ten minutes by default


def waits(context: Context, job: Job) -> bool:
    """Whether the job's file could not be read, and is to be looked at first. Called when its turn has come."""
    if job.cause != Cause.UNREADABLE or context.readable.pop(job.id, None) == job.attempt:
        return False
    # it gives way to the others at once: the file may lie on a file system that hangs
    context.ledger.update(job, not_before=context.utc() + context.config.pool.machine_wait)
    if job.id not in context.looking and len(context.looking) < MOST:
        _post(context, job)
    return True


def _post(context: Context, job: Job) -> None:
    path = source_path(context, job)
    context.looking.add(job.id)

    def then(why: str | None) -> None:
        context.looking.discard(job.id)
        current = context.ledger.find(job.id)
        if current is None or (current.state, current.attempt) != (job.state, job.attempt):
            return
        if why is None:
            context.readable[job.id] = job.attempt
            context.ledger.update(current, not_before=0.0)
            say(Kind.JOB_QUEUED, f"job {job.id}: {printable(job.source)} can be read again", job)
            return
        now, least = context.utc(), context.config.pool.machine_wait
        again = now + growing(now - current.queued_at, least, LONGEST * least)
        context.ledger.update(current, not_before=again, error=f"the file cannot be read: {why}")

    def failed(error: OSError | SttdError) -> None:
        then(str(error))

    context.checks.post(f"looks whether {printable(job.source)} can be read", lambda: _look(path), then, failed, job.id)


def _look(path: str) -> str | None:
    """Why the file cannot be read; None: it can, or it is gone, which its attempt will find out."""
    try:
        handle = open_regular(path)
    except PermissionError:
        return why_unreadable(path)
    except FileNotFoundError:
        return None
    try:
        os.pread(handle, 1, 0)
    finally:
        os.close(handle)
    return None
