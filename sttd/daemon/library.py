"""Before the turn of a recording whose results go beside it: is it one that was done already, under another name?

It is looked at on the threads of the content checks, once for each job: the daemon's loop waits for no disk.
"""

from __future__ import annotations

from dataclasses import dataclass

from sttd import outbox
from sttd.daemon import filing
from sttd.daemon.context import Context
from sttd.daemon.twins import content_hash
from sttd.errors import SttdError
from sttd.host.events import Kind, say
from sttd.job import Job, State
from sttd.text import printable

MOST = 8  # jobs that are looked at at a time
LIKE = 16  # finished jobs of the same size whose recordings are looked for


@dataclass(frozen=True, slots=True)
class Found:
    """What a look came to."""

    sha256: str | None = None  # of the recording, where it was needed
    former: int | None = None  # the job that has transcribed it under another name


def waits(context: Context, job: Job) -> bool:
    """Whether the job's recording is being looked at, or needs no worker. Called when its turn has come."""
    looked, key = context.looked, (job.id, job.size, job.mtime_ns)
    if not _is_wanted(context, job) or key in looked.over:
        looked.over.discard(key)
        return False
    if job.id not in looked.under_way and len(looked.under_way) < MOST:
        _post(context, job)
    return True


def _is_wanted(context: Context, job: Job) -> bool:
    """A job that a person asked for, or that has begun, is not looked at."""
    is_new = job.redo_of is None and job.location is None and not job.chunks
    return is_new and context.inbox is not None and context.config.output.place == "beside"


def _post(context: Context, job: Job) -> None:
    looked = context.looked
    like = context.ledger.kept_like(job, LIKE)
    if not like:
        looked.over.add((job.id, job.size, job.mtime_ns))
        return
    looked.under_way.add(job.id)

    def then(found: Found) -> None:
        looked.under_way.discard(job.id)
        row = context.ledger.find(job.id)
        if row is not None and row.state is State.QUEUED and row.identity == job.identity:
            _act(context, row, found)

    def failed(error: OSError | SttdError) -> None:
        looked.under_way.discard(job.id)
        text = f"job {job.id}: it cannot be told whether it was done under another name: {printable(str(error))}"
        say(Kind.REMARK, text, job, error=str(error))
        looked.over.add((job.id, job.size, job.mtime_ns))

    name = f"looks whether {printable(job.source)} was done under another name"
    context.checks.post(name, lambda: _look(job, like, context.places), then, failed, job.id)


def _look(job: Job, like: list[Job], places: outbox.Places) -> Found:
    """Only what left its old name can have got a new one: what lies there still is another recording, or a copy."""
    renamed = [
        former for former in like if former.sha256 and _was_beside(former, places) and places.is_gone(former.source)
    ]
    if not renamed:
        return Found()
    sha256 = content_hash(job, places)
    return Found(sha256, next((former.id for former in renamed if sha256 and former.sha256 == sha256), None))


def _was_beside(former: Job, places: outbox.Places) -> bool:
    """Whether its results were written beside it, or went with it to a new name since."""
    return not former.outputs or bool(outbox.beside(former.source, outbox.results_of([former]), places))


def _act(context: Context, row: Job, found: Found) -> None:
    if found.former is None:
        context.looked.over.add((row.id, row.size, row.mtime_ns))
        return
    plan = {"step": "follow"}
    job = context.ledger.update(
        row, state=State.COMMITTING, plan=plan, copy_of=found.former, sha256=found.sha256, cause=None, error=None
    )
    filing.advance(context, job)
