"""What is logged about attempts: one line for each thing that matters to a person."""

from __future__ import annotations

from dataclasses import replace

from sttd import outbox
from sttd.daemon.context import Context, Running
from sttd.daemon.ending import Ending
from sttd.daemon.parts import named
from sttd.host.events import Kind, say
from sttd.job import Job, Part, State
from sttd.part import Cause, Lost, Notice, Started
from sttd.rules.policy import AT_FAULT
from sttd.text import counted, printable

_NOTICES = 1000  # of one attempt; two days of audio with a clean-up each 20 chunks have half as many


def notice(context: Context, running: Running, event: Notice) -> None:
    """Log what a worker asks for. Why no model loads is logged once until one does, not at every try."""
    running.notices += 1
    if running.notices > _NOTICES:
        return
    if running.notices == _NOTICES:
        event = replace(
            event, level="WARNING", text="its worker says more than anybody reads: the rest is left out", event=""
        )
    kind, level = Kind.of(event.event), event.level
    context.counts.happened.load_timeouts += kind is Kind.MODEL_TIMEOUT
    if kind in (Kind.MODEL_ERROR, Kind.MODEL_FALLBACK):
        level = level if context.starting.models.is_news(event.text) else "DEBUG"
    say(kind, f"job {running.job.id}: {printable(event.text)}", running.job, level=level, worker=running.label)


def say_model(kind: Kind, running: Running, event: Started, words: str) -> None:
    say(
        kind, f"job {running.job.id}: model {printable(event.model)} {words}", running.job,
        worker=running.label, model=event.model, requested_model=event.requested_model,
        fallback_reason=event.fallback_reason or None, seconds=event.load_seconds,
    )  # fmt: skip


def lost(running: Running, event: Lost) -> None:
    """One line about a worker that is gone; what becomes of its job follows."""
    ordered = running.why is not None or event.cause in (Cause.TIMEOUT, Cause.CANCELLED, Cause.SHUTDOWN)
    kind = Kind.WORKER_OOM if event.cause is Cause.OOM else Kind.WORKER_KILLED if ordered else Kind.WORKER_DIED
    name = "worker" if running.label is None else f"worker {running.label}"
    again = event.cause in AT_FAULT and running.tried.cause in AT_FAULT
    say(
        kind, f"job {running.job.id}: {name}: {printable(event.error)}", running.job, level="DEBUG" if again else None,
        worker=running.label, cause=event.cause, exit_code=event.exitcode,
    )  # fmt: skip


def tell(context: Context, job: Job, running: Running, end: Ending, *, known: bool) -> None:
    """One line about the end of an attempt; at DEBUG level if it repeats a `known` fault of the machine."""
    cause, decision = end.cause, end.verdict
    head, error = f"job {job.id}: {named(job, running.part)}", printable(end.error or "")
    goes_on = job.state is State.RUNNING  # workers have other parts of it
    where = f"{running.done:.0f} s of it are done"
    wait: float | None = None
    if cause in (Cause.SLICE, Cause.ASKED, Cause.SHUTDOWN, Cause.MEMORY):
        why = cause if cause is not Cause.ASKED or not error else error
        kind, text = Kind.JOB_STOPPED, f"{head} stops ({why}); {where}, queued again"
    elif cause is Cause.CANCELLED:
        kind, text = Kind.JOB_CANCELLED, f"{head} is cancelled"
    elif decision.state is State.FAILED:
        kind, text = Kind.JOB_FAILED, f"{head} failed: {error or cause}" + ("; its other parts stop" if goes_on else "")
    else:
        kind, wait = Kind.JOB_WAITS if decision.machine else Kind.JOB_RETRY, decision.not_before - context.utc()
        wait = max(0.0, wait)
        text = f"{head}: {cause} ({error or 'no reason given'}); {where}, queued again, next try in {wait:.0f} s"
    say(
        kind, text, job, level="DEBUG" if (known and decision.machine) or (goes_on and cause is Cause.CANCELLED) else None,
        worker=running.label, cause=cause, error=end.error, attempt=running.spec.attempt, attempts=job.attempts,
        resumes=job.resumes, audio_done=running.done, seconds=job.service, wait=wait,
        batch_size=decision.batch_size, device=decision.device,
    )  # fmt: skip
    if job.state is State.FAILED and decision.state is not State.FAILED:  # one of its parts was given up before
        text = f"job {job.id}: {printable(job.source)} failed: {printable(job.error or '')}"
        say(Kind.JOB_FAILED, text, job, cause=job.cause, error=job.error, attempts=job.attempts)


def tell_part(job: Job, part: Part, running: Running) -> None:
    """One line about a part that has all of its chunks."""
    text = f"job {job.id}: {named(job, part)} is transcribed"
    say(Kind.PART_DONE, text, job, worker=running.label, attempt=running.spec.attempt, seconds=part.service)


def tell_done(job: Job, filed: outbox.Filed) -> None:
    """The lines about a job that is done, and about what a person should know of its result."""
    name, audio = printable(job.source), job.audio_seconds or 0.0
    text = (
        f"job {job.id}: {name} is done: {audio:.1f} s of audio, language {job.language}, model {job.model}, "
        f"{counted(job.chunks, 'chunk')}" + (f" (fallback: {job.fallback_reason})" if job.fallback_reason else "")
    )
    say(
        Kind.JOB_DONE, text, job,
        audio_seconds=audio, seconds=job.service, waited=(job.finished_at or 0.0) - job.created_at, chunks=job.chunks,
        language=job.language, model=job.model, requested_model=job.requested_model,
        fallback_reason=job.fallback_reason, attempts=job.attempts, resumes=job.resumes,
    )  # fmt: skip
    if job.warnings:
        found = "; ".join(map(printable, job.warnings))
        say(Kind.JOB_WARNING, f"job {job.id}: {name}: {found}", job, warnings=found)
    if filed.kept_because:
        say(Kind.RESULT_TROUBLE, f"job {job.id}: its source stays in the inbox: {printable(filed.kept_because)}", job)
    if filed.changed:
        say(Kind.JOB_CHANGED, f"job {job.id}: {name} has changed since; it stays in the inbox as a new job", job)
