"""Recordings with the same content: one is transcribed, the others get a copy of its result (`watch.dedupe`).

A job whose size others have is hashed before its turn, on a thread of its own and a few at a time. One whose content
another job has waits for that one: in the ledger, as `copy_of`. What becomes of it follows from the other job's row.
"""

from __future__ import annotations

import enum
import os

from sttd import outbox
from sttd.daemon import filing, orders, whereabouts
from sttd.daemon.context import Context
from sttd.daemon.guard import guard
from sttd.daemon.troubles import OUTBOX
from sttd.errors import SttdError
from sttd.fs.digest import digest_of
from sttd.fs.sparse import is_unwritten
from sttd.host.events import Kind, say
from sttd.job import ENDED, Identity, Job, State
from sttd.part import Cause
from sttd.rules.policy import AT_FAULT
from sttd.text import printable

CHECKS = 4  # content checks posted at a time
AHEAD = 8  # queued jobs of a queue whose content is looked at before their turn
QUEUES = 4  # queues in which that is done
ORIGINALS = 64  # jobs that twins wait for, looked at in one call
RELEASED = 200  # twins that are released in one call
PATIENCE = 60.0  # seconds; where a content check takes longer, jobs start without one


class Turn(enum.Enum):
    """What becomes of a queued job whose turn it is."""

    START = "it is given to a worker"
    LATER = "its content is being looked at"
    TWIN = "it waits for the result of another job, in the ledger"


def turn(context: Context, job: Job) -> Turn:
    """Look whether another job has, or will have, the result that this one would get."""
    if not context.config.watch.dedupe or job.redo_of is not None or job.no_copy:
        return Turn.START
    key = orders.key_of(context, job)
    if not context.ledger.has_peers(job, key):
        return Turn.START
    if job.sha256 is None:
        return Turn.LATER if _check(context, job) else Turn.START
    if not job.sha256:  # it could not be read: the worker will find out why
        return Turn.START
    for peer in context.ledger.unhashed_peers(job, key, CHECKS):
        if _check(context, peer):
            return Turn.LATER
    twin = context.ledger.twin(job, key)
    if twin is None or context.filing.disks.has(twin.id):
        return Turn.START
    context.ledger.update(job, copy_of=twin.id, options_key=key)
    return Turn.TWIN


def look_ahead(context: Context) -> None:
    """Look at the content of the next jobs while the workers are busy, so that none of them waits for it."""
    if not context.config.watch.dedupe or len(context.twins.tries) >= CHECKS:
        return
    for owner, queue in context.starting.turns.order(context.ledger.waiting_owners(), orders.slice_of(context))[
        :QUEUES
    ]:
        for job in context.ledger.next_jobs(owner, queue, AHEAD):
            wanted = job.sha256 is None and job.redo_of is None and not job.no_copy
            if wanted and context.ledger.has_peers(job, orders.key_of(context, job)):
                _check(context, job)


def _check(context: Context, job: Job) -> bool:
    """Hash the content of a job off the loop. Returns whether that is worth waiting for."""
    oldest = next(iter(context.work.checks.operations()), None)
    if oldest is not None and context.clock() - oldest.since > PATIENCE:
        return False
    if job.id in context.twins.tries or len(context.twins.tries) >= CHECKS:
        return True
    context.twins.tries.begin(job.id)

    def then(value: str | None) -> None:
        context.twins.tries.end(job.id)
        # "": it could not be read, and is nobody's twin
        context.ledger.note_hash(job, value or "")

    def failed(error: OSError | SttdError) -> None:
        context.twins.tries.end(job.id)
        text = f"job {job.id}: its content could not be compared: {printable(str(error))}"
        say(Kind.REMARK, text, job, error=str(error))
        context.ledger.note_hash(job, "")

    name = f"reads {printable(job.source)} to compare its content"
    context.work.checks.post(name, lambda: content_hash(job, context.places), then, failed, job.id)
    return True


def content_hash(job: Job, places: outbox.Places) -> str | None:
    """SHA-256 of the version of its source that a job is about.

    None: it cannot be read, was another version before or afterwards, or has too many holes to be whole.
    """
    try:
        with os.fdopen(outbox.open_source(job, places), "rb") as file:
            if Identity.of(os.fstat(file.fileno())) != job.identity or is_unwritten(file.fileno()):
                return None
            digest = digest_of(file.fileno())
            return digest if Identity.of(os.fstat(file.fileno())) == job.identity else None
    except OSError:
        return None


def follow(context: Context) -> None:
    """Give twins a copy of their original's result, or a turn of their own if it comes to none.

    A bounded number of originals is looked at in one call, and the next ones in the next.
    """
    page = context.ledger.originals(context.twins.last, ORIGINALS)
    context.twins.last = page[-1] if len(page) == ORIGINALS else 0
    left = RELEASED
    for original_id in page:
        original = context.ledger.find(original_id)
        if original is not None and original.state is State.DONE:
            for twin in context.ledger.waiting_for(original_id, _room(context)):
                with guard(context, twin.id):
                    # its inbox is away, or the original's options were changed for it alone: the twin gets its own turn
                    if whereabouts.is_away(context, twin) or twin.options_key != original.options_key:
                        context.ledger.update(twin, copy_of=None)
                    else:
                        _copy(context, twin, original)
        elif left > 0 and (original is None or not _comes_to_a_result(context, original)):
            twins = context.ledger.waiting_for(original_id, left)
            left -= len(twins)
            with context.ledger.transaction():
                for twin in twins:
                    context.ledger.update(twin, copy_of=None)


def _room(context: Context) -> int:
    """How many copies may begin now: none while results cannot be put in place, or sources cannot be looked at."""
    return (
        0
        if whereabouts.are_all_away(context) or any(name in context.troubles for name in OUTBOX)
        else filing.room(context)
    )


def _comes_to_a_result(context: Context, original: Job) -> bool:
    """Whether a job that has not ended may come to a result, so that its twins wait for it."""
    if original.state in ENDED or not original.sha256:  # no hash: it is about another version of its file by now
        return False
    if context.filing.disks.has(original.id):
        return False
    return original.state is not State.QUEUED or original.cause not in (*AT_FAULT, Cause.GONE)


def _copy(context: Context, twin: Job, original: Job) -> None:
    job = context.ledger.update(twin, state=State.COMMITTING, plan={"step": "copy"})
    text = f"job {job.id}: {printable(job.source)} has the content of job {original.id} and gets its result"
    say(Kind.JOB_COPIED, text, job, copy_of=original.id)
    filing.advance(context, job)
