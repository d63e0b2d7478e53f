"""`sttd show`: all that is worth saying about one job, as names of facts and their values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sttd.job import ENDED, UNDER_WAY, Job, State
from sttd.sharing import in_words
from sttd.text import counted, printable, sentence
from sttd.view.plain import about, attempt, clock, done_share, moment, percent, size, span

if TYPE_CHECKING:
    from sttd.view.outlook import Prospect


def job_facts(job: Job, prospect: Prospect, now: float) -> Iterator[tuple[str, str]]:
    """The facts in the order in which they are read; each is one harmless line.

    Args:
        job: the job.
        prospect: what is expected of it.
        now: UTC seconds.
    """
    return ((word, sentence(text)) for word, text in _facts(job, prospect, now))


def _facts(job: Job, prospect: Prospect, now: float) -> Iterator[tuple[str, str]]:
    yield "job", str(job.id)
    yield "source", printable(job.source)
    yield "state", standing(job, prospect.worker, now)
    if job.state is State.QUEUED and job.not_before <= now and job.copy_of is None:
        yield (
            "before it",
            f"{prospect.ahead} that have waited longer" if prospect.ahead else "none that has waited longer",
        )
    left = None if prospect.worker is None else prospect.worker["job_left"]
    ends_at = prospect.ends_at if left is None else now + left
    if ends_at is not None:
        yield "done", about(ends_at, now)
    if job.error:
        yield "last error" if job.state in (*UNDER_WAY, State.QUEUED) else "error", job.error
    if job.cause and job.state not in UNDER_WAY:
        yield "cause", job.cause
    yield "size", size(job.size)
    if job.audio_seconds is not None:
        yield "audio", f"{clock(job.audio_seconds)}, {percent(done_share(job))} done in {counted(job.chunks, 'chunk')}"
    yield from _parts(job, prospect)
    if job.language:
        known = "" if job.language_probability is None else f" ({job.language_probability:.0%})"
        yield "language", f"{job.language}{known}"
    if job.model or job.requested_model:
        yield "model", printable(job.model or f"{job.requested_model}, not loaded")
    if job.model and job.requested_model and job.requested_model != job.model:
        yield "asked for", printable(job.requested_model)
    if job.fallback_reason:
        yield "fallback", job.fallback_reason
    for warning in job.warnings:
        yield "warning", warning
    yield "attempts", f"{job.attempts} spent, {job.attempt} started, {job.resumes} resumed from a checkpoint"
    yield from _kin(job)
    if job.location:
        yield "location", printable(job.location)
    for output in job.outputs:
        yield "output", printable(output)


def standing(job: Job, worker: dict[str, Any] | None, now: float) -> str:
    """The state of the job, and what it waits for."""
    if job.state is State.RUNNING:
        which = f"attempt {job.attempt}" if worker is None or job.shared is not None else attempt(worker)
        return f"running: {which}, since {moment(job.started_at)} ({span(now - (job.started_at or now))})"
    if job.state is State.COMMITTING:
        return "committing: transcribed, its files are being put in place"
    if job.state is State.QUEUED and job.copy_of is not None:
        return f"queued: gets the result of job {job.copy_of}, whose content is the same"
    if job.waits_for_folder:
        return "queued: waits until the options of its folder are put right"
    if job.state is State.QUEUED and job.not_before > now:
        return f"queued: next try at {moment(job.not_before)}"
    return str(job.state)


def _parts(job: Job, prospect: Prospect) -> Iterator[tuple[str, str]]:
    """Of a recording that is shared out: how many parts are done, and those that run or wait for more than their turn."""
    if not prospect.parts:
        return
    if job.state is State.DONE:
        yield "parts", str(len(prospect.parts))
        return
    done = sum(part["state"] is State.DONE for part in prospect.parts)
    yield "parts", f"{done} of {len(prospect.parts)} done"
    for part in prospect.parts:
        share = part["progress"] / (part["ends"] - part["begins"]) if part["ends"] > part["begins"] else 0.0
        words = in_words(part["number"] - 1, len(prospect.parts), part["begins"], part["ends"])
        if part["state"] is State.RUNNING:
            yield "part", f"{words}: attempt {part['attempt']}, {percent(min(1.0, share))} done"
        elif part["state"] is not State.DONE and (part["error"] or part["chunks"]) and job.state not in ENDED:
            error = f": {printable(part['error'])}" if part["error"] else ""
            yield "part", f"{words}: waits, {percent(min(1.0, share))} done{error}"


def _kin(job: Job) -> Iterator[tuple[str, str]]:
    if job.overrides.model or job.overrides.language:
        asked = {"model": job.overrides.model, "language": job.overrides.language}
        yield "asked", printable(", ".join(f"{name} {value}" for name, value in asked.items() if value))
    if job.folder_options:
        from sttd.configfile import folder_options

        yield "options", ", ".join(folder_options.written(job.folder_options.values))
        yield "set by", printable(", ".join(job.folder_options.files))
    if job.redo_of is not None:
        yield "redo of", f"job {job.redo_of}"
    if job.copy_of is not None:
        yield "same as", f"job {job.copy_of}"
