"""A file that could not be read is tested before each further attempt, so that waiting for it costs no attempts.

The test reads at the byte where reading failed: a disk may give the beginning of a file and no more. Waits grow with the
time that the job has waited already, even if a test went well and the attempt after it did not. The log has one line when
the trouble begins, and one when an attempt has come further.
"""

from __future__ import annotations

import os

from sttd.daemon.context import Context, Running
from sttd.daemon.source import source_below, source_path
from sttd.errors import SttdError
from sttd.fs.folder import open_regular_below
from sttd.fs.rights import why_unreadable
from sttd.host.events import Kind, say
from sttd.job import Job
from sttd.part import Cause
from sttd.rules.due import growing
from sttd.text import printable

MOST = 64  # files that are looked at at a time
LONGEST = 20.0  # times `pool.machine_wait`: ten minutes by default
_BLOCK = 256 * 1024  # bytes of a look, as many as a worker reads at once


def waits(context: Context, job: Job) -> bool:
    """Whether the job's file could not be read, and is to be looked at first. Called when its turn has come."""
    known = context.recordings.unreadable
    if job.cause != Cause.UNREADABLE or known.again.pop(job.id, None) == job.attempt:
        return False
    # it gives way to the others at once: the file may lie on a file system that hangs
    context.ledger.update(job, not_before=context.utc() + context.config.pool.machine_wait)
    if job.id not in known.looking and len(known.looking) < MOST:
        _post(context, job)
    return True


def is_in_vain(running: Running, cause: Cause | None) -> bool:
    """Whether an attempt that ended with `cause` could not read the file any further than the one before."""
    return cause is Cause.UNREADABLE and running.tried.cause == cause and not running.progressed


def next_look(context: Context, since: float) -> float:
    """When to look again at a file that waits since `since`. UTC seconds."""
    now, least = context.utc(), context.config.pool.machine_wait
    return now + growing(now - since, least, LONGEST * least)


def has_come_further(context: Context, running: Running) -> None:
    """The attempt has given a chunk, or the whole transcript: the file can be read again."""
    job = running.job
    if running.tried.cause == Cause.UNREADABLE and not running.progressed:
        context.recordings.unreadable.drop(job.id)
        say(Kind.JOB_QUEUED, f"job {job.id}: {printable(job.source)} can be read again", job)


def _post(context: Context, job: Job) -> None:
    path, below = source_path(context, job), source_below(context, job)
    place = context.recordings.unreadable.places.get(job.id, 0)
    context.recordings.unreadable.looking.add(job.id)

    def then(why: str | None) -> None:
        context.recordings.unreadable.looking.discard(job.id)
        current = context.ledger.find(job.id)
        if current is None or (current.state, current.attempt) != (job.state, job.attempt):
            context.recordings.unreadable.drop(job.id)
        elif why is None:
            context.recordings.unreadable.again[job.id] = job.attempt
            context.ledger.update(current, not_before=0.0)
        else:
            again = next_look(context, current.queued_at)
            context.ledger.update(current, not_before=again, error=f"the file cannot be read: {why}")

    def failed(error: OSError | SttdError) -> None:
        then(str(error))

    name = f"looks whether {printable(job.source)} can be read"
    context.work.checks.post(name, lambda: _look(path, below, place), then, failed, job.id)


def _look(path: str, below: str, place: int) -> str | None:
    """Why the file cannot be read at a byte; None: it can, or it is gone, which its attempt will find out."""
    try:
        handle = open_regular_below(path, below)
    except PermissionError:
        return why_unreadable(path)
    except FileNotFoundError:
        return None
    try:
        os.pread(handle, _BLOCK, place)
    finally:
        os.close(handle)
    return None
