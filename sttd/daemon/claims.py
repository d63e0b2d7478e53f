"""Whether to believe a worker that blames its file or its machine, and not the recording; see rules/claims.py."""

from __future__ import annotations

from sttd.daemon import by_folder
from sttd.daemon.context import Context, Running
from sttd.daemon.ending import is_of_its_beginning
from sttd.daemon.source import is_as_queued
from sttd.job import Overrides
from sttd.part import Cause, Failed

_OF_THE_FILE = (Cause.CHANGED, Cause.GONE)


def cause_of(context: Context, running: Running, event: Failed) -> tuple[Cause, str]:
    """The cause that counts, and the words for it."""
    job, cause, claims = running.job, event.cause, context.judging.claims
    if cause in _OF_THE_FILE:
        is_believed = not is_as_queued(context, job) or claims.refuted(job.id, running.submitted, context.clock())
    elif _is_of_the_machine(running, event):
        is_believed = claims.of_machine(job.id, running.worker, running.submitted, context.clock())
    else:
        return cause, event.error
    if is_believed:
        return cause, event.error
    return Cause.ERROR, f"its worker said again and again what is not so; the last time: {event.error}"


def _is_of_the_machine(running: Running, event: Failed) -> bool:
    """Whether every job on that machine would meet the error.

    That a machine elsewhere has no room for one recording is reported before its worker takes the part: that is not `spoilt`.
    """
    cause = event.cause
    if cause is Cause.MACHINE:
        return event.spoilt or not running.is_elsewhere
    if cause is not Cause.CONFIGURATION or running.job.overrides != Overrides():
        return False
    return not (is_of_its_beginning(running) or by_folder.is_to_blame(running.job, cause))
