"""One disk of a library that is full, failing or away holds up only the recordings whose results go to it.

That is known from the first step that fails there. From then on no job starts whose results go there, and those that
are transcribed are tried one at a time. The first step that succeeds there ends it.
"""

from __future__ import annotations

from sttd import outbox
from sttd.daemon.context import Context
from sttd.daemon.disks import Destination
from sttd.host.events import Kind, say
from sttd.job import Job
from sttd.ledger import moved
from sttd.part import Cause
from sttd.text import printable

WAITS = "its results go to a disk that takes none"  # the first words of why a queued job waits


def begin(context: Context, row: Job, what: str, error: outbox.DiskTrouble) -> None:
    """A step of a job has failed on the disk that its results go to. Logged once."""
    wait, words = context.config.pool.machine_wait, printable(str(error))
    is_news = context.filing.disks.begin(row.id, error.where, words, context.clock() + wait)
    context.troubles.begin(_trouble(error.where.device), f"{what.removeprefix('its ')}: {words}")
    if is_news:
        text = f"job {row.id}: {printable(row.source)}: {what}: {words}"
        rest = "it is tried again; what else goes to that disk waits, other jobs go on"
        say(Kind.RESULT_TROUBLE, f"{text}; {rest}", row, error=str(error))


def ready(context: Context, job: Job) -> Job | None:
    """The job, if the disk that its results go to lets it start; None: it waits for that disk, with all such jobs."""
    if job.location is not None:
        return job
    found = context.filing.disks.holding(_destination(context, job))
    if found is not None:
        error, where = found
        until = context.utc() + context.config.pool.machine_wait
        which = moved.inside(where.inbox, where.folder, where.apart)
        context.ledger.postpone(which, until, f"{WAITS}: {error}", Cause.MACHINE)
        return None
    if (job.error or "").startswith(WAITS):  # the disk takes results again
        return context.ledger.update(job, error=None, cause=None)
    return job


def may_try(context: Context, job: Job) -> bool:
    """Whether the disk that a job's results go to lets its next step be done."""
    to = _destination(context, job)
    return to is None or context.filing.disks.may_try(job.id, to, context.clock(), context.config.pool.machine_wait)


def require(context: Context, job: Job) -> None:
    """Called in the thread that is about to do a job's step: by now the disk may be known to be ill, and slow to answer.

    Raises:
        DiskTrouble: it is.
    """
    to = _destination(context, job)
    found = context.filing.disks.holding(to)
    if found is not None and not context.filing.disks.is_tried(job.id, to):
        raise outbox.DiskTrouble(*found)


def went_well(context: Context, row: Job) -> None:
    """The results of a job are where they belong."""
    to = _destination(context, row)
    device = None if to is None else context.filing.disks.end(to)
    if device is not None:
        context.troubles.end(_trouble(device))


def drop(context: Context, number: int) -> None:
    """A job has no files any more that wait for a disk."""
    for device in context.filing.disks.drop(number):
        context.troubles.end(_trouble(device))


def _destination(context: Context, job: Job) -> Destination | None:
    """Where the results of a job go, if that is beside its recording."""
    place = (job.plan or {}).get("place") or context.config.of(job.source).output.place
    found = context.places.inbox_of(job.source, job.location) if place == "beside" else None
    return None if found is None else (found[0], found[2])


def _trouble(device: str) -> str:
    return f"disk {device}"
