"""The bookkeeping of attempts: their time and end in the ledger, their place in memory."""

from __future__ import annotations

import contextlib

from sttd.daemon.context import Context, Running
from sttd.errors import Stale
from sttd.job import Job, Part, State
from sttd.part import Cause

OF_A_PART = ("chunks", "progress", "begins")  # keys of `Running.unsaved` for a part's row, if there are parts


def store(context: Context, running: Running, seconds: float = 0.0) -> tuple[Job, Part | None]:
    """Write an attempt's progress since the last time. Call it in a transaction, because it may write several rows.

    Nothing in memory changes: if the transaction fails, all of it is written the next time.

    Args:
        context: of the loop.
        running: the attempt.
        seconds: the time that its worker has spent on it, if it has ended.

    Returns:
        The rows of the job and of the part as they are then.
    """
    ledger, part = context.ledger, running.part
    unsaved = dict(running.unsaved)
    shared = unsaved.pop("shared", None)
    if part is None and shared is None:
        service = {"service": running.job.service + seconds} if seconds else {}
        return ledger.update(running.job, **service, **unsaved), None
    if part is None:  # its recording was opened for the first time, and is to be shared out
        part = ledger.parts(ledger.update(running.job, shared=shared))[0]
    of_part = {name: unsaved.pop(name) for name in OF_A_PART if name in unsaved}
    part = ledger.update_part(part, service=part.service + seconds, **of_part)
    job = ledger.get(part.job)  # read again: attempts at other parts change it too
    if job.state is not State.RUNNING:  # its row was damaged: the sweep ends its attempts
        raise Stale(f"job {job.id} is {job.state}, and part {part.number} of it runs")
    return ledger.update(job, **unsaved, **ledger.sums(job)), part


def book(context: Context, running: Running, cause: Cause | None, error: str | None) -> tuple[Job, Part | None]:
    """Store the worker's time and the attempt's end; returns the job and the part as the ledger has them."""
    seconds = context.clock() - (running.started or context.clock())
    with context.ledger.transaction():
        # service > 0 puts a job into the `served` queue; a job that had a worker must not count as fresh
        job, part = store(context, running, max(seconds, 1e-6))
        worker, number = running.worker if running.is_elsewhere else None, running.spec.attempt
        context.ledger.end_attempt(job, context.utc(), cause, error, running.pid, attempt=number, worker=worker)
    return job, part


def drop(context: Context, running: Running) -> None:
    """The attempt is over: nothing of it stays in memory."""
    seconds = context.clock() - (running.started or context.clock())
    context.starting.turns.end(running.charge, seconds)
    context.deadlines.remove(running.spec.part_id)
    del context.running[running.spec.part_id]
    with contextlib.suppress(OSError):  # what was not written was logged when it failed
        running.checkpoint.close()


def cancel(context: Context, job: Job) -> None:
    """Cancel a running job. Its row says so first: the attempt, or the daemon, may end before the kill."""
    job = context.ledger.update(job, cause=Cause.CANCELLED)
    for running in context.attempts_of(job.id):
        running.job = job
    stop(context, job.id, Cause.CANCELLED, "cancelled")


def stop(context: Context, job_id: int, cause: Cause, why: str) -> None:
    """Kill the attempts at a job, if there are any."""
    for running in context.attempts_of(job_id):
        if not running.is_told:
            running.why = why
            context.pool.kill(running.spec.part_id, running.spec.attempt, cause)


def halt(context: Context, job_id: int) -> None:
    """Ask the attempts at a job to stop at the end of their batch, because the job does not go on."""
    for running in context.attempts_of(job_id):
        context.pool.stop(running.spec.part_id, running.spec.attempt, Cause.ASKED)
