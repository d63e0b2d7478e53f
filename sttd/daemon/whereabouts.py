"""Which folder is which inbox: recognised, replaced, away, or changed in the configuration.

A folder under a new path, without the mark of the one before, is a new inbox. The jobs whose files are in the former one
wait alone: they name their files by the whole path from then on, and hold up no other job. The path says which inbox a
folder is: if a [[watch]] table is renamed, or takes over the folder of the first inbox, the jobs there get the new name.
The jobs of a table that was removed wait alone, until a table has its folder again.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from sttd import inboxes
from sttd.daemon.context import Context
from sttd.host.events import Kind, say
from sttd.inbox import FolderIdentity, Held, Strange
from sttd.job import Job
from sttd.ledger import moved
from sttd.ledger.facts import FORMER_INBOXES, INBOX_FOLDER, INBOX_MARK, WATCHED
from sttd.ledger.moved import relocated
from sttd.part import Cause
from sttd.text import printable

NAMED = 3  # jobs that a line names
POSTPONED = 600.0  # seconds between two looks at a job that waits for a former inbox


def before(context: Context, inbox: str = "") -> FolderIdentity | None:
    """The folder that was the inbox of this name in the run before."""
    if inbox:
        return next((_folder(each) for each in _watched(context).values() if each["inbox"] == inbox), None)
    known = context.ledger.fact(INBOX_FOLDER)
    if known is not None:
        return FolderIdentity(**known)
    mark = context.ledger.fact(INBOX_MARK)
    return None if mark is None else FolderIdentity(str(context.config.paths.inbox), mark, 0, 0)


def begin(context: Context) -> dict[str, FolderIdentity]:
    """At the start: the inboxes of the run before. Where a path is new, no file is moved before the folder is known."""
    paths = {name: str(path) for name, path in context.config.inboxes().items()}
    with context.ledger.transaction():
        _let_go(context, paths)
        _take_back(context, paths)
    known = {name: folder for name in paths if (folder := before(context, name)) is not None}
    for name, folder in known.items():
        context.recordings.whereabouts.of[name].undecided = folder.path != paths[name]
    return known


def _let_go(context: Context, paths: dict[str, str]) -> None:
    """Let go of folders that belong to no inbox any more, or to one of another name."""
    watched, first = _watched(context), before(context)
    others = {path: name for name, path in paths.items()}
    for path, known in watched.items():
        name = known["inbox"]
        if name is not None and (name not in paths or others.get(path, name) != name):
            _leave(context, name, path, all_jobs=True)
            watched[path] = known | {"inbox": None}
    if first is not None and others.get(first.path, "") != "":
        _leave(context, "", first.path, all_jobs=True)
        watched[first.path] = dataclasses.asdict(first) | {"inbox": None}
        context.ledger.set_fact(INBOX_FOLDER, None)
        context.ledger.set_fact(INBOX_MARK, None)
    _note(context, watched)


def _take_back(context: Context, paths: dict[str, str]) -> None:
    """Take back folders that were let go of, and are now the inbox of a name that had none."""
    watched = _watched(context)
    for name, path in paths.items():
        known = watched.get(path)
        if known is None or known["inbox"] is not None or before(context, name) is not None:
            continue
        context.ledger.come_home(name, path)
        _forget_former(context, path)
        if name:
            watched[path] = known | {"inbox": name}
        else:
            context.ledger.set_fact(INBOX_FOLDER, dataclasses.asdict(_folder(watched.pop(path))))
    _note(context, watched)


def _watched(context: Context) -> dict[str, dict[str, Any]]:
    known = context.ledger.fact(WATCHED)
    return dict(known)


def _folder(known: dict[str, Any]) -> FolderIdentity:
    return FolderIdentity(**{name: value for name, value in known.items() if name != "inbox"})


def _note(context: Context, watched: dict[str, dict[str, Any]]) -> None:
    if watched != _watched(context):
        context.ledger.set_fact(WATCHED, watched)


def held(context: Context, event: Held) -> None:
    """The folder of an inbox has been taken hold of: store what it is recognised by."""
    name, folder, ledger = event.inbox, event.folder, context.ledger
    known, where = before(context, name), context.recordings.whereabouts.of[name]
    if folder == known:
        return
    for number in ledger.planned() if where.undecided else ():
        context.filing.tries.hurry(number)
    with ledger.transaction():
        if known is None or known.path != folder.path:
            if known is not None and known.mark != folder.mark:
                _leave(context, name, known.path, all_jobs=bool(name))
            _forget_former(context, folder.path)
            ledger.come_home(name, folder.path)
        if name:
            others = {path: each for path, each in _watched(context).items() if each["inbox"] != name}
            ledger.set_fact(WATCHED, others | {folder.path: dataclasses.asdict(folder) | {"inbox": name}})
        else:
            ledger.set_fact(INBOX_FOLDER, dataclasses.asdict(folder))
    where.undecided = False
    if context.inbox is not None:
        context.inbox.expect(ledger.waiting_sources())


def strange(context: Context, event: Strange) -> None:
    """The folder is not the one it was: it is the inbox now, unless a job waits for a file that is missing in it."""
    missing = set(event.missing)
    waiting = [source for source in context.ledger.waiting_sources() if source in missing]
    where = context.recordings.whereabouts.of[event.inbox]
    if waiting:
        jobs = context.ledger.latest_of(waiting[:NAMED])
        named = ", ".join(f"job {job.id} ({printable(source)})" for source, job in jobs.items())
        more = f" and {len(waiting) - len(jobs)} more" if len(waiting) > len(jobs) else ""
        ids = " or ".join(f"`{context.config.program} cancel {job.id}`" for job in jobs.values())
        where.advice = f"what waits for files that are not in it: {named}{more}; mount it again, or {ids}"
    elif event.used and context.inbox is not None:
        where.advice = ""
        context.inbox.adopt(event.inbox, event.mark)
    else:
        where.advice = "it is empty, and no job waits; mount it again, or drop a file into it where it is the inbox now"
    look_after(context)


def look_after(context: Context) -> None:
    """Log once that an inbox is away, hangs, or is no longer looked at, and once that this is over."""
    if context.stopping or context.inbox is None:  # the inboxes have been let go of, which is no news
        return
    for name, away in context.inbox.reasons().items():
        _look_after(context, name, away)


def _look_after(context: Context, name: str, away: str | None) -> None:
    where = context.recordings.whereabouts.of[name]
    if away is None:
        where.advice = ""
    reason = f"{away}; {where.advice}" if away and where.advice else away
    if reason == where.reason:
        return
    where.since = math.inf if reason is None else min(where.since, context.clock())
    where.reason = reason
    words = f"the inbox {printable(name)}" if name else "the inbox"
    trouble = words.removeprefix("the ")
    context.troubles.drop(trouble)
    if reason is None:
        say(Kind.INBOX_BACK, f"{words} is back")
    else:
        say(Kind.INBOX_AWAY, f"{words} is away: {printable(reason)}; what waits goes on waiting", error=reason)
        context.troubles.begin(trouble, f"{trouble} away: {printable(reason)}")


def is_away(context: Context, job: Job) -> bool:
    """Whether the file of a job lies in an inbox that is away."""
    return job.location is None and came_from_away(context, job)


def came_from_away(context: Context, job: Job) -> bool:
    """Whether the file of a job was dropped into an inbox that is away now: then a missing file proves nothing."""
    return context.inbox is not None and context.inbox.reasons().get(inboxes.split(job.source)[0]) is not None


def are_all_away(context: Context) -> bool:
    """Whether there is no inbox now that a recording could be taken from."""
    return context.inbox is not None and all(context.inbox.reasons().values())


def is_away_for_long(context: Context, name: str) -> bool:
    """Whether an inbox has been away for so long that nobody who wants an end should wait for it."""
    return context.clock() - context.recordings.whereabouts.of[name].since >= context.config.pool.machine_wait


def waits_for_inbox(context: Context, job: Job) -> bool:
    """Whether the job waits until its inbox is back. Asked only while another one is there."""
    name, config = inboxes.split(job.source)[0], context.config
    if context.inbox is None or job.location is not None:
        return False
    away = f"its inbox {printable(name)} is away" if name else "its inbox is away"
    if name not in config.inboxes():
        text = f"no [[watch]] table is called {printable(name)}: write one with its inbox, or cancel this job"
    elif config.watched and is_away(context, job):
        text = away
    elif job.error == away:  # it is back: the next turn is the job's own
        context.ledger.update(job, error=None, cause=None)
        return True
    else:
        return False
    until = context.utc() + config.pool.machine_wait
    context.ledger.postpone(moved.inside(name), until, text, Cause.MACHINE)
    return True


def waits_alone(context: Context, job: Job) -> bool:
    """Whether the job waits for a file of a former inbox. It is looked at again from time to time, and starts nothing."""
    former = former_of(context, job)
    if former is None:
        return False
    name = inboxes.split(job.source)[0]
    remedy = f"write a [[watch]] table with {printable(former)}" if name else "set paths.inbox back"
    text = (
        f"its file is in {printable(former)}, which was {'an' if name else 'the'} inbox: {remedy}, or move the file into "
        f"{context.config.paths.inbox} and cancel this job"
    )
    context.ledger.postpone(moved.outside(former), context.utc() + POSTPONED, text, Cause.UNREADABLE)
    if former not in context.recordings.whereabouts.said:
        context.recordings.whereabouts.said.add(former)
        say(Kind.JOB_WAITS, f"job {job.id}: {printable(job.source)} waits: {text}", job, error=text)
    return True


def former_of(context: Context, job: Job) -> str | None:
    """The former inbox that the job's file lies in."""
    if job.location is None or job.redo_of is not None:
        return None
    path = inboxes.split(job.source)[1]
    return next((each for each in _former(context) if job.location == f"{each}/{path}"), None)


def _leave(context: Context, inbox: str, path: str, *, all_jobs: bool) -> None:
    """A folder is no inbox any more. Its jobs name their files by the whole path; `all_jobs`: also those that have ended."""
    for job in context.ledger.unfinished():  # their results appear, but files outside an inbox are not ours to move
        name, below = inboxes.split(job.source)
        if job.location is None and name == inbox:
            context.ledger.update(job, **relocated(job, f"{path}/{below}", fate="keep"))
    count = context.ledger.leave_inbox(inbox, path, all_jobs=all_jobs)
    context.ledger.set_fact(FORMER_INBOXES, tuple(dict.fromkeys((*_former(context), path))))
    context.recordings.whereabouts.former = None
    if count:
        say(Kind.REMARK, _farewell(context, inbox, path, count))


def _farewell(context: Context, inbox: str, path: str, count: int) -> str:
    """What a former inbox is now, and what becomes of its jobs, in words."""
    names, was = {str(each): name for name, each in context.config.inboxes().items()}, printable(path)
    if path in names:
        return f"{was} was {_words(inbox)} and is {_words(names[path])}: its jobs go on under the new name"
    if not inbox:
        now = printable(str(context.config.paths.inbox))
        return f"paths.inbox was {was} and is {now}: {count} waiting jobs stay with their files there"
    return f"{was} is not {_words(inbox)} any more: the jobs that wait stay with their files there"


def _words(inbox: str) -> str:
    return f"the inbox {printable(inbox)}" if inbox else "the first inbox"


def _forget_former(context: Context, path: str) -> None:
    """A folder is an inbox again."""
    context.ledger.set_fact(FORMER_INBOXES, tuple(each for each in _former(context) if each != path))
    context.recordings.whereabouts.former = None


def _former(context: Context) -> list[str]:
    where = context.recordings.whereabouts
    if where.former is None:
        known = context.ledger.fact(FORMER_INBOXES)
        where.former = list(known)
    return where.former
