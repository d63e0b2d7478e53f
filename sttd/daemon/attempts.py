"""The bookkeeping of attempts: their time and end in the ledger, their place in memory."""

from __future__ import annotations

import contextlib

from sttd.daemon.context import Context, Running
from sttd.job import Job
from sttd.part import Cause


def book(context: Context, running: Running, cause: Cause | None, error: str | None) -> Job:
    """Store the worker's time and the attempt's end; returns the job as the ledger has it."""
    seconds = context.clock() - (running.started or context.clock())
    with context.ledger.transaction():
        # service > 0 puts a job into the `served` queue; a job that had a worker must not count as fresh
        job = context.ledger.update(running.job, service=running.job.service + max(seconds, 1e-6), **running.unsaved)
        context.ledger.end_attempt(job, context.utc(), cause, error, running.pid, attempt=running.spec.attempt)
    return job


def drop(context: Context, running: Running) -> None:
    """The attempt is over: nothing of it stays in memory."""
    seconds = context.clock() - (running.started or context.clock())
    context.turns.end(running.charge, seconds)
    context.deadlines.remove(running.spec.part_id)
    del context.running[running.spec.part_id]
    with contextlib.suppress(OSError):  # what was not written was logged when it failed
        running.checkpoint.close()


def cancel(context: Context, job: Job) -> None:
    """End a running job. Its row says so, in case that its attempt ends otherwise, or with the daemon, before the kill."""
    job = context.ledger.update(job, cause=Cause.CANCELLED)
    for running in context.attempts_of(job.id):
        running.job = job
    stop(context, job.id, Cause.CANCELLED, "cancelled")


def stop(context: Context, job_id: int, cause: Cause, why: str) -> None:
    """Kill the attempts at a job, if there are any."""
    for running in context.attempts_of(job_id):
        if running.why is None:
            running.why = why
            context.pool.kill(running.spec.part_id, running.spec.attempt, cause)
