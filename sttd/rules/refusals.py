"""Why a request about a job is refused, judged by its row: one sentence for the commands, the page and the daemon.

Each function returns the sentence, which names what can be done instead; "": it can be done.
"""

from __future__ import annotations

from sttd.job import ENDED, RETRIABLE, Job, State


def of_retry(job: Job) -> str:
    """Why a job cannot be queued again."""
    if job.state is State.DONE:
        return _is_done(job)
    if job.state is State.FAILED and job.plan is not None:
        return f"job {job.id} has just failed and its file is still to be moved to failed/: try again after that"
    if job.state not in RETRIABLE or job.plan is not None:
        return f"job {job.id} is {job.state} already"
    return ""


def of_cancel(job: Job) -> str:
    """Why there is nothing to cancel."""
    if job.state not in (State.QUEUED, State.RUNNING, State.COMMITTING):
        return f"job {job.id} is {job.state}: there is nothing to cancel"
    return ""


def of_next(job: Job) -> str:
    """Why a job does not wait for a worker."""
    if job.state is State.DONE:
        return _is_done(job)
    if job.state in RETRIABLE:
        return f"job {job.id} is {job.state}: `sttd retry {job.id}` queues it again"
    if job.state is not State.QUEUED:
        return f"job {job.id} is {job.state} already"
    if job.copy_of is not None:
        return f"job {job.id} gets the result of job {job.copy_of}: `sttd next {job.copy_of}`"
    return ""


def of_redo(job: Job) -> str:
    """Why a job cannot be done again. Whether its source is still where it was filed is not known here."""
    if job.state in RETRIABLE and of_retry(job):
        return of_retry(job)
    if job.state not in ENDED:
        return f"job {job.id} is {job.state}: wait for its end"
    if job.location == "":
        return f"the source of job {job.id} is gone (deleted, as output.source says, replaced or taken away): drop it once more"
    return ""


def _is_done(job: Job) -> str:
    return f"job {job.id} is done: `sttd redo {job.id}` transcribes its source once more"
