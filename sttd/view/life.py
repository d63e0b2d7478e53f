"""The life of a job, from drop to archive: what happened to it and when, in the order in which it happened."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from sttd.job import Job, State
from sttd.text import printable, sentence
from sttd.view.plain import moment, size, span

# words for the causes that are no fault of the recording; any other cause is shown as it is, with the error
ENDS = {
    "slice": "its time was up, and it stopped at a checkpoint",
    "asked": "it was asked to stop, and did at a checkpoint",
    "timeout": "killed after job_timeout",
    "cancelled": "cancelled",
    "shutdown": "killed because the daemon ended",
    "memory": "stopped at a checkpoint to give memory back",
    "crash": "the worker crashed",
    "line": "the line to the worker broke",
    "oom": "the kernel killed the worker, because memory was used up",
    "no model": "no model could be loaded",
    "changed": "the file has changed",
    "gone": "the file was not there",
    "existing": "it has subtitles already",
}

Life = Sequence[tuple[float | None, str]]  # when (UTC seconds), and what, which is one harmless line


def life(job: Job, attempts: Sequence[dict[str, Any]], notices: Sequence[dict[str, Any]] = ()) -> Life:
    """All events of a job, in their order.

    Args:
        job: the job.
        attempts: its rows, see `Ledger.attempts`.
        notices: those about it, see `sttd.notify.told`.
    """
    events = [*_events(job, attempts), *((notice["at"], _notice(notice)) for notice in notices)]
    if notices or job.shared is not None:  # its parts ran at the same time
        events.sort(key=lambda event: math.inf if event[0] is None else event[0])
    return [(at, sentence(text)) for at, text in events]


def _where(attempt: dict[str, Any]) -> str:
    if attempt["worker"]:
        return f" on {printable(attempt['worker'])}"
    return "" if attempt["pid"] is None else f" in worker {attempt['pid']}"


def _events(job: Job, attempts: Sequence[dict[str, Any]]) -> Iterator[tuple[float | None, str]]:
    yield job.created_at, _origin(job)
    for attempt in attempts:
        model = f" with model {printable(attempt['model'])}" if attempt["model"] else ""
        part = "" if job.shared is None else f" at part {(attempt.get('part') or 0) + 1}"
        yield attempt["started_at"], f"attempt {attempt['attempt']}{part} begins{_where(attempt)}{model}"
        if attempt["ended_at"] is not None:
            yield attempt["ended_at"], _end(attempt, job.error)
    if job.state is State.QUEUED and job.not_before > 0:
        yield job.not_before, "next try"
    if job.finished_at is not None:
        yield job.finished_at, _outcome(job)


def _origin(job: Job) -> str:
    if job.redo_of is not None:
        return f"asked for as a redo of job {job.redo_of}"
    return f"found in the inbox and queued, {size(job.size)}, last written {moment(job.mtime_ns / 1e9)}"


def _end(attempt: dict[str, Any], known: str | None) -> str:
    """`known`: the job's own error, which is shown elsewhere and not repeated here."""
    lasted = span(attempt["ended_at"] - attempt["started_at"])
    if attempt["cause"] is None:
        return f"attempt {attempt['attempt']} ends after {lasted}: transcribed"
    why = ENDS.get(attempt["cause"], attempt["cause"])
    error = f": {attempt['error']}" if attempt["error"] and attempt["error"] != known else ""
    return f"attempt {attempt['attempt']} ends after {lasted}: {why}{error}"


def _outcome(job: Job) -> str:
    match job.state:
        case State.DONE if job.copy_of is not None:
            return f"done: it has the result of job {job.copy_of}, whose content is the same{_filed(job)}"
        case State.DONE:
            return f"done: {len(job.outputs)} results are in place{_filed(job)}"
        case State.FAILED:
            return f"given up{_filed(job)}"
        case State.VANISHED:
            return "the file is gone from the inbox"
        case _:
            return str(job.state)


def _notice(notice: dict[str, Any]) -> str:
    """A notice: what it is about, who gets it, and what has become of it."""
    tries = f" after {notice['tries']} tries" if notice["tries"] > 1 else ""
    why = f": {notice['error']}" if notice["error"] else ""
    return f"notice of {notice['event']} to {notice['receiver']}: {notice['state']}{tries}{why}"


def _filed(job: Job) -> str:
    if job.location:
        return f"; the source is now {printable(job.location)}"
    return (
        "; the source is gone: deleted, replaced or taken away"
        if job.location == ""
        else "; the source stays in the inbox"
    )
