"""The report for a terminal, and for programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from sttd.job import State
from sttd.phrases import Words
from sttd.report import spoken
from sttd.report.charts import kinds
from sttd.report.figures import HIGH, MEDIAN, Figures, Span, wait
from sttd.report.page import period

_STATES = (State.DONE, State.FAILED, State.CANCELLED, State.VANISHED)


def facts(figures: Figures, words: Words, zone: dt.tzinfo | None = None) -> Iterator[tuple[str, str]]:
    """The figures in the order in which they are read: name and text of each."""
    jobs = figures.jobs
    yield "period", period(figures, words, zone)
    ended = [(jobs.ended[state], "gone" if state is State.VANISHED else str(state)) for state in _STATES]
    yield "recordings", ", ".join(f"{count:,} {name}" for count, name in ended if count or name in ("done", "failed"))
    speed = f"; a worker is {spoken.number(jobs.audio / jobs.service)} times as fast as played" if jobs.service else ""
    yield "audio", f"{jobs.audio / 3600:,.1f} h, {spoken.number(figures.audio_rate)} h an hour{speed}"
    half, most = (spoken.duration(words, wait(jobs, share)) for share in (MEDIAN, HIGH))
    yield "waiting", f"median {half}, 95th percentile {most}, from arrival to transcript"
    if figures.memory_high is not None:
        levels = figures.levels
        known = f"{levels.moderate:g} % moderate, {levels.high:g} % high, {levels.critical:g} % critical"
        yield "memory", f"{spoken.percent(figures.memory_high)} at most; levels: {known}"


def troubles(figures: Figures, words: Words) -> Iterator[tuple[int, str]]:
    """Count and name of each kind of trouble that occurred."""
    for name, count in kinds(words):
        total = sum(map(count, figures.spans))
        if total:
            yield total, name


def as_json(figures: Figures) -> dict[str, Any]:
    """See `sttd report --help`. Times are UTC seconds, durations seconds; null: not known."""
    jobs = figures.jobs
    whole = _jobs(figures.jobs.ended, jobs.audio, jobs.service, figures.audio_rate) | {
        "wait_median": wait(jobs, MEDIAN),
        "wait_95": wait(jobs, HIGH),
        "load_timeouts": figures.load_timeouts,
        "fallbacks": jobs.fallbacks,
        "job_timeouts": jobs.job_timeouts,
        "resumes": figures.resumes,
        "memory_high": figures.memory_high,
    }
    levels = figures.levels
    return {
        "since": figures.since,
        "until": figures.until,
        "zone": figures.zone,
        "levels": {"moderate": levels.moderate, "high": levels.high, "critical": levels.critical},
        "total": whole,
        "spans": [_span(each) for each in figures.spans],
    }


def _span(span: Span) -> dict[str, Any]:
    jobs, daemon = span.jobs, span.daemon
    return (
        {"start": span.start, "end": span.end}
        | _jobs(jobs.ended, jobs.audio, jobs.service, span.audio_rate)
        | {
            "wait_median": wait(jobs, MEDIAN),
            "wait_95": wait(jobs, HIGH),
            "load_timeouts": span.load_timeouts,
            "fallbacks": jobs.fallbacks,
            "job_timeouts": jobs.job_timeouts,
            "resumes": span.resumes,
            "memory_low": daemon and daemon.memory_low,
            "memory_high": daemon and daemon.memory_high,
            "memory_level": daemon and daemon.level,
            "queued": daemon and daemon.queued,
        }
    )


def _jobs(ended: Any, audio: float, service: float, rate: float) -> dict[str, Any]:
    return {str(state): ended[state] for state in _STATES} | {
        "audio_seconds": audio,
        "worker_seconds": service,
        "audio_hours_per_hour": rate,
    }
