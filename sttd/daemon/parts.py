"""What the end of an attempt at one part of a job means for the job; see rules/parts.py.

The functions that write are called in the transaction that stores the attempt's end. The state of the job follows from
the rows of its parts: a daemon that is killed anywhere finds in them what is to be done next.
"""

from __future__ import annotations

from typing import Any

from sttd.daemon import orders
from sttd.daemon.context import Context, Running
from sttd.daemon.ending import Ending
from sttd.daemon.source import start_anew
from sttd.job import Job, Part, State
from sttd.ledger.checkpoint import Broken
from sttd.part import Cause, Done, Options
from sttd.rules.parts import state_of, wait_of
from sttd.sharing import in_words, span_of
from sttd.text import printable


def done(context: Context, job: Job, part: Part, running: Running, event: Done) -> Job:
    """A part has all of its chunks. The job waits for its turn with the next one, or has its transcript.

    Each part warns of the damage that it has met; the last one warns of that of the recording as a whole, too.
    """
    ended = {"cause": None, "error": None, "not_before": 0.0, "ends": event.audio_seconds}
    context.ledger.update_part(part, state=State.DONE, **ended)
    warnings = tuple(dict.fromkeys((*job.warnings, *event.warnings)))  # a part that was done again repeats its warnings
    return settle(context, job, running, queued_at=context.utc(), warnings=warnings)


def ended(context: Context, job: Job, part: Part, running: Running, end: Ending, *, at_once: bool, **waits: Any) -> Job:
    """An attempt ended before its part was whole. `waits`: changes of the job's row, if it waits for its turn now."""
    decision = end.verdict
    context.ledger.update_part(
        part,
        state=State.FAILED if decision.state is State.FAILED else State.QUEUED,
        attempts=part.attempts + decision.spend_attempt,
        not_before=0.0 if at_once else decision.not_before,
        batch_size=decision.batch_size,
        device=decision.device,
        cause=end.cause,
        error=end.error,
    )
    return settle(context, job, running, **waits)


def settle(context: Context, job: Job, running: Running | None = None, **waits: Any) -> Job:
    """Bring the row of a job to what the rows of its parts say.

    Args:
        context: of the loop.
        job: as its row is.
        running: the attempt that has ended; None: there was none.
        waits: changes where it waits for its turn now, and `warnings`.
    """
    parts = context.ledger.parts(job)
    state = state_of(parts, cancelled=job.cause == Cause.CANCELLED)
    known = context.ledger.sums(job) | {name: waits.pop(name) for name in ("warnings",) if name in waits}
    if state is State.RUNNING:
        return context.ledger.update(job, **known)
    if state is State.CANCELLED:
        known |= {"error": "cancelled", "finished_at": context.utc()}
        return context.ledger.update(job, state=state, **known)
    if any(part.state is State.QUEUED and part.cause == Cause.CHANGED for part in parts):
        return start_anew(context, job, settled=running is not None and running.is_told)
    if state is State.FAILED:
        return _failed(context, job, next(part for part in parts if part.state is State.FAILED), known)
    if state is State.COMMITTING:
        return commit(context, job, None if running is None else running.spec.options, **known)
    return context.ledger.update(job, state=state, **known, **wait_of(parts), **waits)


def commit(context: Context, job: Job, options: Options | None = None, **known: Any) -> Job:
    """All parts are done: the results are next. `options`: those of the latest attempt."""
    parts = context.ledger.parts(job)
    audio = max(part.ends or 0.0 for part in parts)
    chunks = sum(part.chunks for part in parts)
    plan = {"step": "stage", "chunks": chunks, "options": orders.asked(options or orders.wanted(context, job)[1])}
    known |= {"audio_seconds": audio, "progress": audio, "error": None, "cause": None, "not_before": 0.0}
    return context.ledger.update(job, state=State.COMMITTING, plan=plan, **known)


def reopen(context: Context, job: Job, broken: Broken) -> Part:
    """A part that counted as done is not: it goes on from its checkpoint, or begins anew if its border does not fit.

    If workers find different borders between two parts, that is a fault in sttd: each time an attempt is spent.
    """
    part = context.ledger.parts(job)[broken.number]
    spent = part.attempts + broken.is_apart
    is_over = spent >= context.config.pool.attempts
    error = "it does not begin where the part before it ends: a fault in sttd, please report it" if is_over else None
    state = State.FAILED if is_over else State.QUEUED
    begins = None if broken.is_apart else part.begins
    known = {"attempts": spent, "begins": begins, "ends": None, "error": error}
    return context.ledger.update_part(part, state=state, **known)


def give_up(context: Context, job: Job, part: Part) -> Job:
    """One part was given up, and no other one runs any more. What they have stays for a retry."""
    return _failed(context, job, part, context.ledger.sums(job))


def _failed(context: Context, job: Job, part: Part, known: dict[str, Any]) -> Job:
    error = f"{words(job, part)}: {part.error or part.cause}"
    known |= {
        "error": error,
        "cause": part.cause or Cause.ERROR,
        "finished_at": context.utc(),
        "plan": {"step": "fail"},
    }
    return context.ledger.update(job, state=State.FAILED, **known)


def words(job: Job, part: Part | None) -> str:
    """A part for people: its number and where it lies; "" for a job that is one part."""
    if part is None or job.shared is None:
        return ""
    return in_words(part.number, job.shared.parts, *span(job, part))


def span(job: Job, part: Part) -> tuple[float, float]:
    """Where a part of a shared-out job begins and ends, in seconds of the recording: about, until its borders are found."""
    assert job.shared is not None
    borders = span_of(part.number, job.shared.parts, job.shared.length, job.audio_seconds)
    begins = borders[0] if part.begins is None else part.begins
    return begins, max(begins, borders[1] if part.ends is None else part.ends)


def named(job: Job, part: Part | None) -> str:
    """A recording in a line of the log, and which part of it."""
    about = words(job, part)
    return printable(job.source) + (f", {about}" if about else "")
