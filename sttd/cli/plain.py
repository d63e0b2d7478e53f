"""Status and jobs as plain text: what pipes and files get. The columns stay where they are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from sttd.job import Job, State
from sttd.text import printable, sentence
from sttd.units import format_duration


def clock(seconds: float | None) -> str:
    """Audio time as a player shows it: `0:07`, `1:02:03`; `-` where it is not known."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def moment(utc: float | None) -> str:
    """A time of day with its date, in the local zone."""
    return "-" if utc is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(utc))


def span(seconds: float) -> str:
    """How long ago, in the two largest units: `2h 14min`."""
    return " ".join(format_duration(max(0, int(seconds))).split()[:2])


def size(count: int) -> str:
    """Bytes as people read them: `3.4 MB`."""
    value, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "bytes" else f"{value:.1f} {units[0]}"


def daemon(status: dict[str, Any], now: float) -> str:
    """Whether it runs, in words."""
    about = status["daemon"]
    if not about["running"]:
        return "not running" + (" (paused)" if status["paused"] else "")
    word = "paused" if status["paused"] else "running"
    if about["since"] is None:
        return f"{word}, starting"
    lasted = span(now - about["since"])
    return f"{word} since {moment(about['since'])} ({lasted}), pid {about['pid']}, version {about['version']}"


def counts(status: dict[str, Any]) -> str:
    return ", ".join(f"{count} {name}" for name, count in status["jobs"].items() if count or name != State.VANISHED)


def inbox(status: dict[str, Any]) -> str:
    """What the inbox holds beside jobs; "" where there is nothing to say."""
    found = status["inbox"]
    words = [f"away: {sentence(found['away'])}"] if found["away"] else []
    words += [f"{found['settling']} settling"] if found["settling"] else []
    words += [f"{count} ignored ({sentence(reason)})" for reason, count in sorted(found["ignored"].items())]
    return ", ".join(words)


def status_lines(status: dict[str, Any], now: float) -> Iterator[str]:
    """`sttd status`: a word, then what it says."""
    yield f"daemon   {daemon(status, now)}"
    yield f"jobs     {counts(status)}"
    if status["memory"]["percent"] is not None:
        yield f"memory   {status['memory']['percent']:.1f} % ({status['memory']['level']})"
    if inbox(status):
        yield f"inbox    {inbox(status)}"
    for worker in status["workers"]:
        yield f"worker   {_worker(worker)}"
    for trouble in status["trouble"]:
        yield f"trouble  {sentence(trouble)}"


def _worker(worker: dict[str, Any]) -> str:
    words = [f"{worker['pid']} {worker['state']}"]
    words += [f"model {printable(worker['model'])}"] if worker["model"] else []
    if worker["job"] is not None:
        words.append(f"job {worker['job']} {percent(worker['progress'])} {printable(worker['source'] or '')}".rstrip())
    return " ".join(words)


def percent(progress: float | None) -> str:
    return "-" if progress is None else f"{progress:.0%}"


def done_part(job: Job) -> float | None:
    """How much of the recording is transcribed, 0 to 1; None where it is not known."""
    if job.state is State.DONE:
        return 1.0
    return min(1.0, job.progress / job.audio_seconds) if job.audio_seconds else None


JOBS_HEAD = "    ID  STATE       DONE     AUDIO  LANG  MODEL             SOURCE"


def job_line(job: Job) -> str:
    """One job; the source comes last, and after a tab (which no printed name holds) the error."""
    language, model = job.language or "-", printable(job.model or "-")
    words = f"{job.id:>6}  {job.state:<10}  {percent(done_part(job)):>4}  {clock(job.audio_seconds):>8}  {language:<4}"
    error = f"\t{sentence(job.error)}" if job.error else ""
    return f"{words}  {model:<16}  {printable(job.source)}{error}"


def job_facts(job: Job) -> Iterator[tuple[str, str]]:
    """`sttd show`: all that is worth saying about a job, as a word and what it says."""
    yield "job", str(job.id)
    yield "source", printable(job.source)
    yield "state", str(job.state)
    if job.error:
        yield "error", sentence(job.error)
    if job.cause:
        yield "cause", job.cause
    yield "size", size(job.size)
    if job.audio_seconds is not None:
        yield "audio", f"{clock(job.audio_seconds)}, {percent(done_part(job))} done in {job.chunks} chunks"
    if job.language:
        known = "" if job.language_probability is None else f" ({job.language_probability:.0%})"
        yield "language", f"{job.language}{known}"
    if job.model or job.requested_model:
        yield "model", printable(job.model or "not loaded yet")
    if job.requested_model and job.requested_model != job.model:
        yield "asked for", printable(job.requested_model)
    if job.fallback_reason:
        yield "fallback", sentence(job.fallback_reason)
    yield "attempts", f"{job.attempts} spent, {job.attempt} started, {job.resumes} resumed from a checkpoint"
    yield from _when(job)
    yield from _kin(job)
    if job.location:
        yield "location", printable(job.location)
    for output in job.outputs:
        yield "output", printable(output)


def _when(job: Job) -> Iterator[tuple[str, str]]:
    yield "created", moment(job.created_at)
    if job.started_at is not None:
        yield "started", moment(job.started_at)
    if job.state is State.QUEUED and job.not_before > 0:
        yield "waits until", moment(job.not_before)
    if job.finished_at is not None:
        yield "finished", moment(job.finished_at)


def _kin(job: Job) -> Iterator[tuple[str, str]]:
    if job.overrides.model or job.overrides.language:
        asked = {"model": job.overrides.model, "language": job.overrides.language}
        yield "asked", printable(", ".join(f"{name} {value}" for name, value in asked.items() if value))
    if job.redo_of is not None:
        yield "redo of", f"job {job.redo_of}"
    if job.copy_of is not None:
        yield "same as", f"job {job.copy_of}"


def attempt_line(attempt: dict[str, Any]) -> str:
    """How one attempt went."""
    ended = "under way" if attempt["ended_at"] is None else attempt["cause"] or "done"
    lasted = "" if attempt["ended_at"] is None else f" after {span(attempt['ended_at'] - attempt['started_at'])}"
    error = f": {sentence(attempt['error'])}" if attempt["error"] else ""
    pid = "" if attempt["pid"] is None else f", pid {attempt['pid']}"
    return f"{attempt['attempt']}  {moment(attempt['started_at'])}{pid}: {ended}{lasted}{error}"
