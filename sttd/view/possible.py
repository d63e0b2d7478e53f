"""What can be asked about a job: a command or a button that the daemon would refuse is refused before it is asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sttd.errors import SttdError
from sttd.fs.patience import answers
from sttd.job import RETRIABLE, Job, State
from sttd.ledger import moved
from sttd.text import printable

if TYPE_CHECKING:
    from sttd.config import Config


class NotPossible(SttdError):
    """The job is not in a state in which this can be done."""


def refuse_retry(job: Job) -> None:
    """Raises NotPossible where a job cannot be queued again, saying what can be done instead."""
    if job.state is State.DONE:
        raise NotPossible(f"job {job.id} is done: `sttd redo {job.id}` transcribes its source once more")
    if job.state not in RETRIABLE:
        raise NotPossible(f"job {job.id} is {job.state} already")


def refuse_cancel(job: Job) -> None:
    """Raises NotPossible where there is nothing to cancel."""
    if job.state not in (State.QUEUED, State.RUNNING, State.COMMITTING):
        raise NotPossible(f"job {job.id} is {job.state}: there is nothing to cancel")


def refuse_next(job: Job) -> None:
    """Raises NotPossible where a job does not wait for a worker."""
    if job.state is State.DONE:
        raise NotPossible(f"job {job.id} is done: `sttd redo {job.id}` transcribes its source once more")
    if job.state in RETRIABLE:
        raise NotPossible(f"job {job.id} is {job.state}: `sttd retry {job.id}` queues it again")
    if job.state is not State.QUEUED:
        raise NotPossible(f"job {job.id} is {job.state} already")
    if job.copy_of is not None:
        raise NotPossible(f"job {job.id} gets the result of job {job.copy_of}: `sttd next {job.copy_of}`")


def refuse_redo(job: Job, config: Config) -> None:
    """Raises NotPossible where a job is not done, or its source is no longer there."""
    if job.state is not State.DONE:
        other = f"`sttd retry {job.id}` queues it again" if job.state in RETRIABLE else "wait for its end"
        raise NotPossible(f"job {job.id} is {job.state}: {other}")
    if job.location == "":
        raise NotPossible(
            f"the source of job {job.id} is gone (deleted, as output.source says, replaced or taken away): drop it once more"
        )
    noted = job.location or config.path_of(job.source)

    def is_there() -> bool:
        return os.path.lexists(moved.location(job, config.paths) or noted)

    # a share that does not answer: the daemon will see what becomes of it
    if not answers({"there": is_there}).get("there", True):
        raise NotPossible(f"the source of job {job.id} is gone: {printable(noted)}")
