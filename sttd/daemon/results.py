"""From the pool back to the ledger: what a worker says, and how each attempt ends."""

from __future__ import annotations

import contextlib

from sttd.daemon import by_folder, filing, library, readable, trial
from sttd.daemon.attempts import book, drop
from sttd.daemon.context import Context, Running
from sttd.daemon.ending import HOLD_ALL, Ending, begin_trouble, ending, went_well
from sttd.daemon.guard import guard
from sttd.daemon.source import look_again, look_for, start_anew
from sttd.host.events import Kind, say
from sttd.job import Job, Overrides, State
from sttd.part import SAMPLE_RATE, Cause, Chunks, Done, Event, Failed, Lost, Notice, Progress, Started, asked
from sttd.pool.protocol import LOCAL
from sttd.rules.policy import AT_FAULT
from sttd.text import printable


def handle(context: Context, event: Event) -> None:
    """Act on one message of a worker; what carries an old attempt is dropped."""
    if event.part_id == trial.PART:
        trial.handle(context, event)
        return
    running = context.running.get(event.part_id)
    if running is not None and running.spec.attempt == event.attempt:
        with guard(context, running.job.id):
            _take(context, running, event)


def _take(context: Context, running: Running, event: Event) -> None:
    if running.torn and isinstance(event, Chunks | Done | Failed):
        # sent before the kill could reach it: a result made of the chunks that there are would lack some
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
                library.leave(context, book(context, running, Cause.EXISTING, event.error), event.error)
            drop(context, running)
        case Failed():
            context.unreadable.places[running.job.id] = event.unread
            ended(context, running, event.cause, event.error, retriable=event.retriable)
        case Lost(cause=Cause.NO_MODEL) if may_fall_back(running):
            lost(running, event)
            until = context.clock() + context.config.model.retry_after
            context.models.hold(running.node, running.spec.model.name, until, event.error)
            ended(context, running, Cause.NO_MODEL, event.error, all_wait=False)
        case Lost():
            lost(running, event)
            ended(context, running, event.cause, running.why or event.error)


def notice(context: Context, running: Running, event: Notice) -> None:
    """What a worker wants to be logged. Why there is no model is said once until there is one, not at every try."""
    kind, level = Kind.of(event.event), event.level
    if kind in (Kind.MODEL_ERROR, Kind.MODEL_FALLBACK):
        level = level if context.models.is_news(event.text) else "DEBUG"
    say(kind, f"job {running.job.id}: {printable(event.text)}", running.job, level=level, worker=running.label)


def started(context: Context, running: Running, event: Started) -> None:
    """The model is ready: from here on the part's time is charged."""
    now = context.clock()
    running.started = now
    if running.node == LOCAL:
        running.pid = event.pid
    running.total = event.audio_seconds
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
    context.models.loaded()
    if event.fallback_reason and not running.spec.model.hold:
        until = now + context.config.model.retry_after  # later workers go straight to the fallback
        context.models.hold(running.node, event.requested_model, until, event.fallback_reason)
        instead = f"is used instead of {printable(event.requested_model)}: {event.fallback_reason}"
        _say_model(Kind.MODEL_REPLACED, running, event, instead)
    elif event.load_seconds:
        _say_model(Kind.MODEL_LOADED, running, event, f"is ready after {event.load_seconds:.1f} s")


def _say_model(kind: Kind, running: Running, event: Started, words: str) -> None:
    say(
        kind, f"job {running.job.id}: model {printable(event.model)} {words}", running.job,
        worker=running.label, model=event.model, requested_model=event.requested_model,
        fallback_reason=event.fallback_reason or None, seconds=event.load_seconds,
    )  # fmt: skip


def may_fall_back(running: Running) -> bool:
    """Whether the load of the asked model may be what its worker died of: then the fallback is still to be tried."""
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
    running.progressed = True
    running.done = event.done / SAMPLE_RATE
    running.unsaved |= {"chunks": last.index + 1, "progress": running.done}
    spoken = next((chunk for chunk in reversed(event.chunks) if chunk.language != "und"), None)
    if spoken is not None:
        running.unsaved |= {"language": spoken.language, "language_probability": spoken.language_probability}
    context.listener.heard(running.job, event.chunks, event.done)


def save(context: Context) -> None:
    """Write what the running attempts have come to, in one transaction. Called once a second."""
    waiting = [running for running in context.running.values() if running.unsaved]
    if not waiting:
        return
    saved: list[tuple[Running, Job]] = []
    with context.ledger.transaction():
        for running in waiting:
            with guard(context, running.job.id):
                saved.append((running, context.ledger.update(running.job, **running.unsaved)))
    for running, job in saved:
        running.job, running.unsaved = job, {}


def finished(context: Context, running: Running, event: Done) -> None:
    """The transcript is whole: its files are next."""
    context.troubles.end("machine")
    went_well(context, running)
    readable.has_come_further(context, running)
    with context.ledger.transaction():
        job = book(context, running, None, None)
        plan = {"step": "stage", "chunks": job.chunks, "options": asked(running.spec.options)}
        done = {
            "audio_seconds": event.audio_seconds,
            "progress": event.audio_seconds,
            "warnings": event.warnings,
        }
        cause = Cause.CANCELLED if job.cause == Cause.CANCELLED else None
        job = context.ledger.update(job, state=State.COMMITTING, plan=plan, error=None, cause=cause, **done)
    drop(context, running)
    filing.advance(context, job)


def ended(
    context: Context,
    running: Running,
    cause: Cause,
    error: str | None,
    *,
    all_wait: bool = True,
    retriable: bool = True,
) -> None:
    """An attempt ended without a transcript.

    `all_wait`: where the machine is at fault, nothing starts for a while. `retriable`: another attempt may go better.
    """
    if running.job.cause == Cause.CANCELLED:  # whatever the attempt ended of
        cause, error = Cause.CANCELLED, "cancelled"
    if cause is Cause.CHANGED:
        started_anew(context, running)
        return
    end = ending(context, running, cause, error, retriable=retriable)
    in_vain = readable.is_in_vain(running, end.cause)
    known = (running.job.cause, running.job.error) == (end.cause, end.error) or in_vain or end.outdated
    # a trouble that holds the whole queue lets the job have no wait of its own
    job = store_end(context, running, end, at_once=bool(end.trouble) or not all_wait)
    drop(context, running)
    if end.cause is Cause.GONE:
        look_for(context, job)
    if by_folder.is_to_blame(job, end.cause):
        by_folder.blame(context, job, end.error)
    if end.trouble and all_wait:
        known = not begin_trouble(context, end)
    tell(context, job, running, end, known=known)
    if job.state is State.FAILED:
        context.failed_now += 1
        filing.advance(context, job)
    elif job.state is not State.QUEUED:
        look_again(context, job)
    if end.cause is not Cause.UNREADABLE:
        context.unreadable.forget(job.id)


def store_end(context: Context, running: Running, end: Ending, *, at_once: bool) -> Job:
    """The attempt's end and what follows from it, in one transaction."""
    decision = end.verdict
    reads_anew = end.cause is Cause.GONE or by_folder.is_to_blame(running.job, end.cause)
    with context.ledger.transaction():
        job = book(context, running, end.cause, end.error)
        return context.ledger.update(
            job,
            state=decision.state,
            attempts=job.attempts + decision.spend_attempt,
            not_before=0.0 if at_once else decision.not_before,
            batch_size=decision.batch_size,
            device=decision.device,
            queued_at=running.job.queued_at if readable.is_in_vain(running, end.cause) else context.utc(),
            error=end.error,
            cause=end.cause,
            finished_at=None if decision.state is State.QUEUED else context.utc(),
            options_key=None if reads_anew else job.options_key,
            plan={"step": "fail"} if decision.state is State.FAILED else None,
        )


def started_anew(context: Context, running: Running) -> None:
    """The source is not what was queued."""
    with context.ledger.transaction():
        job = book(context, running, Cause.CHANGED, running.why or "the file has changed")
        start_anew(context, job, settled=running.why is not None)
    drop(context, running)
    with contextlib.suppress(OSError):  # its header names another version of the file, so that it would not count
        running.checkpoint.remove()


def lost(running: Running, event: Lost) -> None:
    """One line about a worker that is gone; what becomes of its job follows."""
    ordered = running.why is not None or event.cause in (Cause.TIMEOUT, Cause.CANCELLED, Cause.SHUTDOWN)
    kind = Kind.WORKER_OOM if event.cause is Cause.OOM else Kind.WORKER_KILLED if ordered else Kind.WORKER_DIED
    name = "worker" if running.label is None else f"worker {running.label}"
    again = event.cause in AT_FAULT and running.job.cause in AT_FAULT
    say(
        kind, f"job {running.job.id}: {name}: {printable(event.error)}", running.job, level="DEBUG" if again else None,
        worker=running.label, cause=event.cause, exit_code=event.exitcode,
    )  # fmt: skip


def tell(context: Context, job: Job, running: Running, end: Ending, *, known: bool) -> None:
    """One line about the end of an attempt; none to speak of where what it says is `known`."""
    cause, decision = end.cause, end.verdict
    head, error = f"job {job.id}: {printable(job.source)}", printable(job.error or "")
    where = f"{running.done:.0f} s of it are done"
    wait: float | None = None
    if cause in (Cause.SLICE, Cause.ASKED, Cause.SHUTDOWN, Cause.MEMORY):
        kind, text = Kind.JOB_STOPPED, f"{head} stops ({cause}); {where}, queued again"
    elif cause is Cause.CANCELLED:
        kind, text = Kind.JOB_CANCELLED, f"{head} is cancelled"
    elif decision.state is State.FAILED:
        kind, text = Kind.JOB_FAILED, f"{head} failed: {error or cause}"
    else:
        kind, wait = Kind.JOB_WAITS if decision.machine else Kind.JOB_RETRY, decision.not_before - context.utc()
        wait = max(0.0, wait)
        text = f"{head}: {cause} ({error or 'no reason given'}); {where}, queued again, next try in {wait:.0f} s"
    say(
        kind, text, job, level="DEBUG" if known and decision.machine else None,
        worker=running.label, cause=cause, error=job.error, attempt=job.attempt, attempts=job.attempts,
        resumes=job.resumes, audio_done=running.done, seconds=job.service, wait=wait,
        batch_size=decision.batch_size, device=decision.device,
    )  # fmt: skip
