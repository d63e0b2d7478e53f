"""From the inbox to the ledger: which files are new jobs, which are known, which came back or changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from loguru import logger

from sttd.daemon import attempts, by_folder
from sttd.daemon.context import Context
from sttd.daemon.source import source_path
from sttd.errors import LedgerError
from sttd.host.events import Kind, say
from sttd.inbox import Found, Gone
from sttd.job import Identity, Job, State
from sttd.ledger.fresh import fresh
from sttd.part import Cause
from sttd.rules.arrival import Arrival, arrival_of, left_in_inbox
from sttd.text import printable

Item = TypeVar("Item")


def found(context: Context, event: Found) -> None:
    """Settled files: queue them."""
    # files that were filed away since the look are left out; a new file of that name is reported anew: see source.look_again
    files = [each for each in event.files if not context.recordings.taken.since(each[0], event.looked)]
    by_folder.arrived(context, (source for source, _ in files))
    restart = _take(context, files, _queue, lambda file: file[0])
    for job in restart:
        # the end of the attempt looks at the file and queues the job with what it finds
        attempts.stop(context, job.id, Cause.CHANGED, "the file has changed")


def _take(
    context: Context,
    items: Sequence[Item],
    take: Callable[[Context, Sequence[Item]], list[Job]],
    name: Callable[[Item], str],
) -> list[Job]:
    """Take all items at once; if that meets a fault in sttd, each by itself, so that the others do not lose their turn."""
    try:
        return take(context, items)
    except (LedgerError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - what a file is named or looks like must not end the daemon
        if len(items) > 1:
            return [job for item in items for job in _take(context, [item], take, name)]
        source = name(items[0])
        logger.exception("a fault in sttd, met with {}", printable(source))
        say(Kind.REMARK, f"{printable(source)}: a fault in sttd ({error!r}); the file is looked at again later")
        if context.inbox is not None:
            context.inbox.forget(source)
            context.inbox.expect([source])
        return []


def _queue(context: Context, files: Sequence[tuple[str, Identity]]) -> list[Job]:
    """All in one transaction; returns the running jobs whose file has changed."""
    restart: list[Job] = []
    with context.ledger.transaction():
        latest = context.ledger.latest_of([source for source, _ in files])
        for source, identity in files:
            before = latest.get(source)
            in_inbox = before is not None and left_in_inbox(before)
            arrival = arrival_of(before, identity, in_inbox=in_inbox)
            if arrival is Arrival.NEW or before is None:
                latest[source] = _add(context, before, source, identity)  # one event may have it twice
            elif arrival is Arrival.RESTART:
                restart.append(before)
            elif arrival is not Arrival.KNOWN:
                latest[source] = _take_up(context, before, identity, arrival)
    return restart


def _add(context: Context, before: Job | None, source: str, identity: Identity) -> Job:
    """Add a new job. The file that the job `before` was about is no longer there."""
    overwritten = before.id if before is not None and left_in_inbox(before) else None
    if before is not None:
        context.ledger.update(before, location="")
        _leave(context, source)
    job = context.ledger.add(source, identity, context.utc(), successor_of=overwritten)
    text = f"job {job.id}: {printable(source)} is queued ({identity.size} bytes)"
    say(Kind.JOB_QUEUED, text, job, size=identity.size)
    return job


def _leave(context: Context, source: str) -> None:
    """The files of older done jobs are no longer there either: a redo and its origin are about the same file."""
    for job in context.ledger.done_in_place(source):
        context.ledger.update(job, location="")


def _take_up(context: Context, job: Job, identity: Identity, arrival: Arrival) -> Job:
    """Update a job that is there already: its file has changed, or is back and the job is queued again."""
    if arrival is Arrival.CHANGED:
        job = context.ledger.update(job, **fresh(identity))
        context.judging.claims.forget(job.id)
        text = f"job {job.id}: {printable(job.source)} has changed and is taken as it is now"
        say(Kind.JOB_CHANGED, text, job)
    else:
        again = {"queued_at": context.utc(), "not_before": 0.0, "error": None, "cause": None, "options_key": None}
        job = context.ledger.update(job, state=State.QUEUED, **again)
        say(Kind.JOB_QUEUED, f"job {job.id}: {printable(job.source)} is back and queued again", job)
    return job


def gone(context: Context, event: Gone) -> None:
    """Sources that are no longer there; the inbox has made sure of that."""
    _take(context, event.files, _miss, str)


def _miss(context: Context, sources: Sequence[str]) -> list[Job]:
    """All in one transaction."""
    ledger, now = context.ledger, context.utc()
    with ledger.transaction():
        for source, latest in ledger.latest_of(sources).items():
            if latest.state is State.QUEUED:
                error = "the file is gone from the inbox; put it back and it is queued again"
                ledger.update(latest, state=State.VANISHED, error=error, cause=Cause.GONE, finished_at=now)
                say(Kind.JOB_VANISHED, f"job {latest.id}: {printable(source)} is gone from the inbox", latest)
                context.pool.forget(source_path(context, latest))
            elif left_in_inbox(latest) and latest.plan is None:  # the step that puts it aside notices that itself
                # should it come back, it is a new job
                ledger.update(latest, location="")
            else:
                continue
            _leave(context, source)
    return []
