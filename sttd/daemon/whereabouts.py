"""Which folder is the inbox: known again, replaced, away, or another one by the configuration.

A folder under another path that has not the mark of the one before is a new inbox. What waits for files of the former
one waits alone: its jobs name their files by the whole path from then on, and no other job is held up by them.
"""

from __future__ import annotations

import dataclasses
import math

from sttd.daemon.context import Context
from sttd.host.events import Kind, say
from sttd.inbox import Folder, Held, Strange
from sttd.job import Job
from sttd.ledger.facts import FORMER_INBOXES, INBOX_FOLDER, INBOX_MARK
from sttd.ledger.moved import relocated
from sttd.part import Cause
from sttd.text import printable

NAMED = 3  # jobs that a line names
POSTPONED = 600.0  # seconds between two looks at a job that waits for a former inbox


def before(context: Context) -> Folder | None:
    """The inbox of the run before."""
    known = context.ledger.fact(INBOX_FOLDER)
    if known is not None:
        return Folder(**known)
    mark = context.ledger.fact(INBOX_MARK)
    return None if mark is None else Folder(str(context.config.paths.inbox), mark, 0, 0)


def begin(context: Context) -> Folder | None:
    """At the start: the inbox of the run before. Under another path nothing is moved before it is known which folder this is."""
    known = before(context)
    context.whereabouts.undecided = known is not None and known.path != str(context.config.paths.inbox)
    return known


def held(context: Context, event: Held) -> None:
    """The inbox's folder has been taken hold of: note by what it is known again."""
    known, folder, ledger = before(context), event.folder, context.ledger
    if folder == known:
        return
    for number in ledger.planned() if context.whereabouts.undecided else ():
        context.filing.hurry(number)
    with ledger.transaction():
        if known is not None and known.path != folder.path:
            if known.mark != folder.mark:
                _leave(context, known.path, folder.path)
            ledger.come_home(folder.path)
        ledger.set_fact(INBOX_FOLDER, dataclasses.asdict(folder))
    context.whereabouts.undecided = False
    if context.inbox is not None:
        context.inbox.expect(ledger.waiting_sources())


def strange(context: Context, event: Strange) -> None:
    """The folder is not the one it was: it is the inbox now, unless a job waits for a file that is missing in it."""
    missing = set(event.missing)
    waiting = [source for source in context.ledger.waiting_sources() if source in missing]
    where = context.whereabouts
    if waiting:
        jobs = context.ledger.latest_of(waiting[:NAMED])
        named = ", ".join(f"job {job.id} ({printable(source)})" for source, job in jobs.items())
        more = f" and {len(waiting) - len(jobs)} more" if len(waiting) > len(jobs) else ""
        ids = " or ".join(f"`{context.config.program} cancel {job.id}`" for job in jobs.values())
        where.advice = f"what waits for files that are not in it: {named}{more}; mount it again, or {ids}"
    elif event.used and context.inbox is not None:
        where.advice = ""
        context.inbox.adopt(event.mark)
    else:
        where.advice = "it is empty, and no job waits; mount it again, or drop a file into it where it is the inbox now"
    look_after(context)


def look_after(context: Context) -> None:
    """Log once that the inbox is away, hangs, or is no longer looked at, and once that this is over."""
    where, inbox = context.whereabouts, context.inbox
    if context.stopping:  # the inbox has been let go of: that is no news of it
        return
    away = None if inbox is None else inbox.away
    if away is None:
        where.advice = ""
    reason = f"{away}; {where.advice}" if away and where.advice else away
    if reason == where.reason:
        return
    where.since = math.inf if reason is None else min(where.since, context.clock())
    where.reason = reason
    context.troubles.drop("inbox")
    if reason is None:
        say(Kind.INBOX_BACK, "the inbox is back")
    else:
        say(Kind.INBOX_AWAY, f"the inbox is away: {printable(reason)}; what waits goes on waiting", error=reason)
        context.troubles.begin("inbox", f"inbox away: {printable(reason)}")


def is_away_for_long(context: Context) -> bool:
    """Whether the inbox has been away for so long that nobody who wants an end should wait for it."""
    return context.clock() - context.whereabouts.since >= context.config.pool.machine_wait


def waits_alone(context: Context, job: Job) -> bool:
    """Whether the job waits for a file of a former inbox. It is looked at again from time to time, and starts nothing."""
    former = former_of(context, job)
    if former is None:
        return False
    text = (
        f"its file is in {printable(former)}, which was the inbox: set paths.inbox back, or move the file into "
        f"{context.config.paths.inbox} and cancel this job"
    )
    now = context.utc()
    context.ledger.postpone(former, now, now + POSTPONED, text, Cause.UNREADABLE)
    if former not in context.whereabouts.said:
        context.whereabouts.said.add(former)
        say(Kind.JOB_WAITS, f"job {job.id}: {printable(job.source)} waits: {text}", job, error=text)
    return True


def former_of(context: Context, job: Job) -> str | None:
    """The former inbox that the job's file lies in."""
    if job.location is None or job.redo_of is not None:
        return None
    return next((each for each in _former(context) if job.location == f"{each}/{job.source}"), None)


def _leave(context: Context, path: str, now: str) -> None:
    for job in context.ledger.unfinished():  # their results appear; what is not below the inbox is not ours to move
        if job.location is None:
            context.ledger.update(job, **relocated(job, f"{path}/{job.source}", fate="keep"))
    count = context.ledger.leave_inbox(path)
    context.ledger.set_fact(FORMER_INBOXES, tuple(each for each in (*_former(context), path) if each != now))
    context.whereabouts.former = None
    if count:
        text = f"paths.inbox was {printable(path)} and is {printable(now)}: {count} waiting jobs stay with their files there"
        say(Kind.REMARK, text)


def _former(context: Context) -> list[str]:
    where = context.whereabouts
    if where.former is None:
        known = context.ledger.fact(FORMER_INBOXES)
        where.former = list(known)
    return where.former
