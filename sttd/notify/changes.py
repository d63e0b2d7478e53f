"""What happened to the jobs between two looks. A look has the standing of each job that is not done (see Followed). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from sttd.job import Job, State
from sttd.notify import place
from sttd.notify.notice import Notice, of_job

Find = Callable[[int], Job | None]
Describe = Callable[[Job], Mapping[str, object]]


def gone(before: Mapping[int, str], now: Mapping[int, str]) -> list[int]:
    """Jobs that had a standing and have none now: they are done, or forgotten."""
    return [number for number in before if number not in now]


def failed(before: Mapping[int, str], now: Mapping[int, str]) -> list[int]:
    """Jobs that have failed, or failed once more."""
    return [number for number, mark in now.items() if mark.startswith(State.FAILED) and before.get(number) != mark]


def notices(ended: Iterable[Job], describe: Describe) -> Iterator[Notice]:
    """The notices about jobs that have ended, or that have a worker now.

    A recording that was skipped because it has subtitles already gives none.
    """
    for job in ended:
        at = job.finished_at or 0.0
        word = place.word(job.id, job.created_at)
        if job.fallback_reason:
            yield of_job("fallback", f"{word}-fallback", job, describe(job), at or job.started_at or 0.0)
        if job.state is State.FAILED:
            yield of_job("failed", f"{word}-failed-{job.attempt}-{round(at * 1000)}", job, describe(job), at)
        elif job.state is State.DONE and job.cause != "existing":
            yield of_job("done", f"{word}-done", job, describe(job), at)
            if job.warnings:
                yield of_job("warning", f"{word}-warning", job, describe(job), at)
