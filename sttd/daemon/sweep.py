"""All open work, derived from the ledger's rows: at the start, and again and again while the daemon runs.

No state that rows and disk can be in needs a restart: what a restart would take up, the next sweep does.
"""

from __future__ import annotations

import contextlib

from sttd import outbox
from sttd.daemon import attempts, filing, parts, steps, twins, whereabouts
from sttd.daemon.context import Context
from sttd.daemon.guard import guard
from sttd.errors import NoSuchJob
from sttd.host.events import Kind, say
from sttd.job import ENDED, Job, Part, State
from sttd.ledger import WORK, moved
from sttd.part import Cause
from sttd.rules.policy import JITTER
from sttd.text import printable


def recover(context: Context, *, folders_answer: bool = True) -> None:
    """At the start: what an earlier daemon left half done, and what it was about to do.

    `folders_answer`: no share hangs, so what it left half written is removed before anything is written there. Else the next
    start does that.
    """
    _remove_checkpoints(context)
    context.ledger.look_anew()
    if folders_answer:
        _find_moved(context)
        outbox.remove_leftovers(context.config, context.places, context.ledger.unfinished())
    sweep(context)


def _find_moved(context: Context) -> None:
    """Correct where sources of open jobs are, if the folders were moved or copied to here from another root. See `moved`.

    Not for `sttd transcribe`, nor for jobs that wait in a former inbox: these name files elsewhere on purpose.
    """
    if context.inbox is None:
        return
    for job in context.ledger.abroad():
        place = moved.location(job, context.config.paths)
        if place and place != job.location and whereabouts.former_of(context, job) is None:
            with guard(context, job.id):
                context.ledger.update(job, **moved.relocated(job, place))


def sweep(context: Context) -> None:
    """Find everything that is to be done, and begin it where there is room."""
    context.ledger.odd_states()  # reading damaged rows repairs them; no other query reads these
    _take_up_attempts(context)
    _drop_attempts(context)
    filing.resume(context)
    twins.follow(context)
    if context.inbox is not None:
        context.inbox.expect(context.ledger.looked_for())


def tell_damage(context: Context) -> None:
    """Log the rows that were damaged and are whole again, their jobs failed where they had not ended; and damaged facts."""
    while context.ledger.mended:
        job = context.ledger.mended.pop()
        kind = Kind.REMARK if job.state in ENDED else Kind.JOB_FAILED
        say(kind, f"job {job.id}: {printable(job.source)}: {job.error}", job, error=job.error)
    while context.ledger.mended_facts:
        fact, found = context.ledger.mended_facts.pop()
        text = f"what the ledger says of {fact.name!r} was damaged ({printable(found)}): {fact.instead}"
        say(Kind.REMARK, text, level="WARNING", error=found)


def clamp_waits(context: Context) -> None:
    """No job waits longer than the longest configured wait, even if the clock or the waits have changed since it was stored."""
    pool, model = context.config.pool, context.config.model
    settles = [max(each.settle(), each.watch.patience) for each in context.config.each_inbox().values()]
    waits = (*pool.retry_waits, pool.machine_wait, *settles, model.retry_after)
    longest = max(waits) * (1 + JITTER)
    if context.ledger.clamp_waits(context.utc(), longest):
        text = f"the clock was set back since jobs were queued: each waits {longest:.0f} s at most from now"
        say(Kind.CLOCK_SET_BACK, text, wait=longest)


def _take_up_attempts(context: Context) -> None:
    """Queue jobs that run according to the ledger, but that no worker has: an earlier daemon left them, or a step that failed."""
    for job in context.ledger.jobs([State.RUNNING], newest=False):
        under_way = context.attempts_of(job.id)
        if job.shared is not None:
            with guard(context, job.id), context.ledger.transaction():
                _take_up_parts(context, job, {running.spec.attempt for running in under_way})
        elif not under_way:
            with guard(context, job.id), context.ledger.transaction():
                _take_up(context, job)


def _drop_attempts(context: Context) -> None:
    """End attempts whose rows do not have them any more: a row was damaged, and its job failed for it."""
    for running in list(context.running.values()):
        job = context.ledger.find(running.job.id)
        row: Job | Part | None = job
        if job is not None and job.shared is not None:  # once it is shared out, the row of the part counts
            row = next((part for part in context.ledger.parts(job) if part.number == running.spec.number), None)
        runs = job is not None and job.state is State.RUNNING
        if runs and row is not None and (row.state, row.attempt) == (State.RUNNING, running.spec.attempt):
            continue
        why = "its row in the ledger was damaged"
        attempt = running.spec.attempt
        context.ledger.end_attempt(running.job, context.utc(), Cause.ERROR, why, running.pid, attempt=attempt)
        context.pool.kill(running.spec.part_id, running.spec.attempt, Cause.ERROR)
        attempts.drop(context, running)


def _take_up(context: Context, job: Job) -> None:
    """Queue it again, unless a person has cancelled it."""
    context.ledger.end_attempt(job, context.utc(), Cause.SHUTDOWN, "the daemon ended", None)
    if job.cause == Cause.CANCELLED:
        context.ledger.update(job, state=State.CANCELLED, error=None, finished_at=context.utc())
        say(Kind.JOB_CANCELLED, f"job {job.id}: {printable(job.source)} is cancelled", job)
        return
    context.ledger.update(job, state=State.QUEUED, queued_at=context.utc())
    text = f"job {job.id}: was running when the daemon ended; queued again"
    say(Kind.JOB_STOPPED, text, job, cause=Cause.SHUTDOWN, attempt=job.attempt)


def _take_up_parts(context: Context, job: Job, attempts: set[int]) -> None:
    """Parts of a job that nobody works on, though their rows say so. `attempts`: the numbers of those under way."""
    lost = [part for part in context.ledger.parts(job) if part.state is State.RUNNING and part.attempt not in attempts]
    for part in lost:
        context.ledger.end_attempt(job, context.utc(), Cause.SHUTDOWN, "the daemon ended", None, attempt=part.attempt)
        context.ledger.update_part(part, state=State.QUEUED)
        text = f"job {job.id}: {parts.words(job, part)} was running when the daemon ended; queued again"
        say(Kind.JOB_STOPPED, text, job, cause=Cause.SHUTDOWN, attempt=part.attempt)
    if lost or not attempts:
        job = parts.settle(context, job, queued_at=context.utc())
    context.counts.failed_now += job.state is State.FAILED
    if job.state is State.CANCELLED:
        say(Kind.JOB_CANCELLED, f"job {job.id}: {printable(job.source)} is cancelled", job)


def _remove_checkpoints(context: Context) -> None:
    """Remove those of jobs that are done: an earlier daemon was killed before it could."""
    work = context.config.paths.state / WORK
    for path in work.iterdir() if work.is_dir() else ():
        with contextlib.suppress(NoSuchJob, ValueError, OverflowError):  # nobody's: not ours to remove
            job = context.ledger.get(int(path.name))
            if job.state is State.DONE:
                steps.remove_checkpoint(context, job)
