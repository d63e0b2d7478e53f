"""From the pool back to the ledger: what a worker says, and how each attempt ends."""

from __future__ import annotations

import contextlib
import dataclasses

from sttd.daemon import by_folder, claims, elsewhere, filing, library, listening, orders, parts, readable, trial
from sttd.daemon.attempts import book, drop, halt, stop, store
from sttd.daemon.context import FOLLOWED, Context, Running
from sttd.daemon.ending import HOLD_ALL, Ending, begin_trouble, ending, went_well
from sttd.daemon.guard import guard
from sttd.daemon.source import look_again, look_for, start_anew
from sttd.daemon.telling import lost, notice, say_model, tell, tell_part
from sttd.host.events import Kind
from sttd.job import Job, Overrides, Part, Shared, State
from sttd.part import SAMPLE_RATE, Cause, Chunks, Done, Event, Failed, Lost, Notice, Progress, Started
from sttd.sharing import fitted
from sttd.text import printable


def handle(context: Context, event: Event) -> None:
    """Act on one message of a worker; messages of an old attempt are dropped."""
    if event.part_id == trial.PART:
        trial.handle(context, event)
        return
    running = context.running.get(event.part_id)
    if running is not None and running.spec.attempt == event.attempt:
        with guard(context, running.job.id):
            _take(context, running, event)


def _take(context: Context, running: Running, event: Event) -> None:
    if running.torn and isinstance(event, Chunks | Done | Failed):
        # sent before the kill could reach the worker: a result made of the stored chunks would lack some
        if not isinstance(event, Chunks):
            ended(context, running, Cause.MACHINE, running.why)
        return
    match event:
        case Started():
            started(context, running, event)
        case Progress():
            context.deadlines.alive(event.part_id, context.clock())
            running.done, running.total = event.done, event.total or running.total
        case Chunks():
            chunks(context, running, event)
        case Notice():
            notice(context, running, event)
        case Done(resume_at=None):
            finished(context, running, event)
        case Done():
            ended(context, running, event.cause or Cause.SLICE, None)
        case Failed(cause=Cause.EXISTING) if running.job.cause != Cause.CANCELLED:
            with context.ledger.transaction():
                library.skip(context, book(context, running, Cause.EXISTING, event.error)[0], event.error)
            drop(context, running)
        case Failed():
            context.recordings.unreadable.places[running.job.id] = event.unread
            cause, error = claims.cause_of(context, running, event)
            ended(context, running, cause, error, retriable=event.retriable or cause is not event.cause)
        case Lost(cause=Cause.NO_MODEL) if may_fall_back(running):
            lost(running, event)
            until = context.clock() + context.config.model.retry_after
            context.starting.models.hold(running.node, running.spec.model.name, until, event.error)
            ended(context, running, Cause.NO_MODEL, event.error, falls_back=True)
        case Lost():
            lost(running, event)
            cause = elsewhere.cause_of(context, running, event.cause)
            ended(context, running, cause, running.why or event.error)


def started(context: Context, running: Running, event: Started) -> None:
    """The model is ready: from here on the part's time is charged. A second Started is ignored."""
    if running.started is not None:
        return
    now = context.clock()
    running.started, running.since = now, context.utc()
    if not running.is_elsewhere:
        running.pid = event.pid
    running.total = event.audio_seconds
    share = running.spec.share
    if event.parts > 1 and running.spec.parts == 0 and share is not None:
        shared = Shared(event.parts, share.after, fitted(share, event.audio_seconds).length)
        running.unsaved["shared"] = shared
        running.checkpoint.share(shared)  # found there if the daemon is killed before it writes the row
    running.unsaved |= {
        "model": event.model,
        "requested_model": event.requested_model,
        "fallback_reason": event.fallback_reason or None,
        "audio_seconds": event.audio_seconds,
    }
    context.deadlines.charge(event.part_id, now, context.config.pool.job_timeout)
    context.troubles.end("model")
    if running.job.overrides == Overrides() and not by_folder.is_to_blame(running.job, Cause.CONFIGURATION):
        context.troubles.end(HOLD_ALL[Cause.CONFIGURATION])
    context.starting.models.loaded()
    if event.fallback_reason and not running.spec.model.hold:
        until = now + context.config.model.retry_after  # later workers go straight to the fallback
        context.starting.models.hold(running.node, event.requested_model, until, event.fallback_reason)
        instead = f"is used instead of {printable(event.requested_model)}: {event.fallback_reason}"
        say_model(Kind.MODEL_REPLACED, running, event, instead)
    elif event.load_seconds:
        say_model(Kind.MODEL_LOADED, running, event, f"is ready after {event.load_seconds:.1f} s")


def may_fall_back(running: Running) -> bool:
    """Whether the worker may have died of loading the requested model, so that the fallback is still to be tried."""
    spec = running.spec.model
    return not spec.hold and spec.fallback not in ("", spec.name)


def chunks(context: Context, running: Running, event: Chunks) -> None:
    """A batch came back: write it to the checkpoint before anything else may know of it."""
    try:
        running.checkpoint.append(event.chunks)
    except OSError as error:
        running.torn, running.why = True, f"the checkpoint cannot be written: {error}"
        context.pool.kill(event.part_id, event.attempt, Cause.MACHINE)
        return
    context.troubles.end("machine")
    context.troubles.end("checkpoint")
    last = event.chunks[-1]
    readable.has_come_further(context, running)
    if running.spec.number and not running.spec.next_index and not running.progressed:
        running.begins = min(chunk.start for chunk in event.chunks) / SAMPLE_RATE  # its border is known
        running.unsaved["begins"] = running.begins
    running.progressed = True
    running.done = event.done / SAMPLE_RATE
    running.unsaved |= {"chunks": last.index + 1, "progress": max(0.0, running.done - running.begins)}
    spoken = next((chunk for chunk in reversed(event.chunks) if chunk.language != "und"), None)
    if spoken is not None:
        running.unsaved |= {"language": spoken.language, "language_probability": spoken.language_probability}
    listening.heard(context, running, event.chunks, event.done)


def save(context: Context) -> None:
    """Write the progress of the running attempts, in one transaction. Called once a second."""
    waiting = [running for running in context.running.values() if running.unsaved]
    if not waiting:
        return
    saved: list[tuple[Running, Job, Part | None]] = []
    with context.ledger.transaction():
        for running in waiting:
            with guard(context, running.job.id), context.ledger.alone():
                saved.append((running, *store(context, running)))
    for running, job, part in saved:
        running.job, running.part, running.unsaved = job, part, {}


def finished(context: Context, running: Running, event: Done) -> None:
    """The transcript is whole, and its files are next; or one part of a shared-out recording is whole."""
    context.troubles.end("machine")
    went_well(context, running)
    readable.has_come_further(context, running)
    with context.ledger.transaction():
        job, part = book(context, running, None, None)
        job = _whole(context, job, running, event) if part is None else parts.done(context, job, part, running, event)
    drop(context, running)
    if part is not None:
        tell_part(job, dataclasses.replace(part, ends=event.audio_seconds), running)
        with contextlib.suppress(OSError):  # the results are made from that checkpoint too, and wait for it
            listening.went_on(context, job)
    _came_to(context, job, running)


def _whole(context: Context, job: Job, running: Running, event: Done) -> Job:
    plan = {"step": "stage", "chunks": job.chunks, "options": orders.asked(running.spec.options)}
    done = {
        "audio_seconds": event.audio_seconds,
        "progress": event.audio_seconds,
        "warnings": event.warnings,
    }
    cause = Cause.CANCELLED if job.cause == Cause.CANCELLED else None
    return context.ledger.update(job, state=State.COMMITTING, plan=plan, error=None, cause=cause, **done)


def _remove_checkpoint(running: Running) -> None:
    with contextlib.suppress(OSError):  # what stays does not count: its header names another version of the file
        running.checkpoint.remove()


def _came_to(context: Context, job: Job, running: Running) -> None:
    """Act on the state of a job after an attempt, once its row and the log have it."""
    if running.part is not None and job.shared is None:  # begun anew
        _remove_checkpoint(running)
    if job.state not in (State.QUEUED, State.RUNNING):
        context.pool.forget(running.spec.source)
    if job.state in (State.COMMITTING, State.FAILED):
        context.counts.failed_now += job.state is State.FAILED
        filing.advance(context, job)
    elif job.state not in (State.QUEUED, State.RUNNING):
        look_again(context, job)


def ended(
    context: Context,
    running: Running,
    cause: Cause,
    error: str | None,
    *,
    retriable: bool = True,
    falls_back: bool = False,
) -> None:
    """An attempt ended without a transcript.

    `retriable`: another attempt may go better. `falls_back`: the next one on that machine has the fallback model.
    """
    if running.job.cause == Cause.CANCELLED:  # whatever the attempt ended of
        cause, error = Cause.CANCELLED, "cancelled"
    if cause is Cause.CHANGED:
        started_anew(context, running)
        return
    end = ending(context, running, cause, error, retriable=retriable)
    in_vain = readable.is_in_vain(running, end.cause)
    known = (running.tried.cause, running.tried.error) == (end.cause, end.error) or in_vain or end.outdated
    of_its_node = not falls_back and elsewhere.is_of_its_node(context, running, end)
    # if the trouble holds the whole queue, or one machine, the job gets no wait of its own
    job = store_end(context, running, end, at_once=bool(end.trouble) or of_its_node or falls_back)
    drop(context, running)
    if end.cause is Cause.GONE:
        look_for(context, job)
    if by_folder.is_to_blame(job, end.cause):
        by_folder.blame(context, job, end.error)
    if of_its_node:
        elsewhere.let_wait(context, running, end)
    elif end.trouble and not falls_back:
        known = not begin_trouble(context, end)
    tell(context, job, running, end, known=known)
    if end.verdict.state is State.FAILED:
        halt(context, job.id)  # its other parts: they would be for nothing
    _came_to(context, job, running)
    if end.cause is not Cause.UNREADABLE:
        context.recordings.unreadable.drop(job.id)


def store_end(context: Context, running: Running, end: Ending, *, at_once: bool) -> Job:
    """The attempt's end and what follows from it, in one transaction."""
    decision = end.verdict
    reads_anew = end.cause is Cause.GONE or by_folder.is_to_blame(running.job, end.cause)
    queued_at = running.job.queued_at if readable.is_in_vain(running, end.cause) else context.utc()
    with context.ledger.transaction():
        job, part = book(context, running, end.cause, end.error)
        waits = {"queued_at": queued_at, "options_key": None if reads_anew else job.options_key}
        if part is not None:
            return parts.ended(context, job, part, running, end, at_once=at_once, **waits)
        return context.ledger.update(
            job,
            state=decision.state,
            attempts=job.attempts + decision.spend_attempt,
            not_before=0.0 if at_once else decision.not_before,
            batch_size=decision.batch_size,
            device=decision.device,
            error=end.error,
            cause=end.cause,
            finished_at=None if decision.state is State.QUEUED else context.utc(),
            plan={"step": "fail"} if decision.state is State.FAILED else None,
            **waits,
        )


def started_anew(context: Context, running: Running) -> None:
    """The source is not what was queued. If other parts of it run, it begins anew when the last of them has ended."""
    why = "the file has changed"
    with context.ledger.transaction():
        job, part = book(context, running, Cause.CHANGED, running.why or why)
        if part is None:
            job = start_anew(context, job, settled=running.is_told)
        else:
            context.ledger.update_part(part, state=State.QUEUED, cause=Cause.CHANGED, error=why)
            job = parts.settle(context, job, running)
    drop(context, running)
    stop(context, job.id, Cause.CHANGED, FOLLOWED)
    if part is None:
        _remove_checkpoint(running)
    _came_to(context, job, running)
