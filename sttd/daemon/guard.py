"""What goes wrong with one job ends that job at most: the daemon and all other jobs go on.

A step whose row has gone on, or is gone, does nothing: the next sweep finds what follows from the row.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from loguru import logger

from sttd.daemon import attempts
from sttd.daemon.context import Context
from sttd.daemon.faults import MOST
from sttd.errors import LedgerError, NoSuchJob, Stale
from sttd.host.events import Kind, say
from sttd.job import ENDED, Job, State
from sttd.part import Cause
from sttd.text import printable


@contextlib.contextmanager
def guard(context: Context, job_id: int) -> Iterator[None]:
    """Around a step of one job.

    Raises:
        LedgerError, OSError: the step's caller handles them.
        Exception: a fault in sttd, the third in a row for different jobs.
    """
    try:
        yield
    except (Stale, NoSuchJob) as fact:
        logger.debug("{}", fact)
    except (LedgerError, OSError):
        raise
    except Exception as error:
        logger.exception("a fault in sttd, met with job {}", job_id)
        context.twins.tries.end(job_id)
        context.recordings.unreadable.drop(job_id)
        context.recordings.looked.under_way.discard(job_id)
        words, job = f"{type(error).__name__}: {error}", context.ledger.find(job_id)
        if job is not None and job.state in ENDED:
            _put_off(context, job, words)
            return
        if context.judging.faults.met(job_id):
            raise
        if job is not None and _has_promised(job) and context.judging.faults.times(job_id) < MOST:
            _put_off(context, job, words)
        else:
            give_up(context, job_id, words)


def give_up(context: Context, job_id: int, error: str) -> None:
    """Fail a job for a fault in sttd. Its source is put aside by the next sweep."""
    context.filing.tries.end(job_id)
    under_way = context.attempts_of(job_id)
    for running in under_way:
        context.pool.kill(running.spec.part_id, running.spec.attempt, Cause.ERROR)
        attempts.drop(context, running)
    job = context.ledger.find(job_id)
    if job is None or job.state in ENDED:
        return
    # the jobs of `sttd transcribe` cannot be retried; a daemon's may have their numbers
    again = "" if context.inbox is None else f"; then `{printable(context.config.program)} retry {job_id}`"
    text = f"a fault in sttd ({printable(error)}): the log has its trace, please report it{again}"
    with context.ledger.transaction():
        for attempt in {job.attempt, *(running.spec.attempt for running in under_way)}:
            context.ledger.end_attempt(job, context.utc(), Cause.ERROR, text, None, attempt=attempt)
        job = context.ledger.update(
            job, state=State.FAILED, cause=Cause.ERROR, error=text, finished_at=context.utc(), plan={"step": "fail"}
        )
    context.counts.failed_now += 1
    say(Kind.JOB_FAILED, f"job {job_id}: {printable(job.source)} failed: {text}", job, error=text)


def _has_promised(job: Job) -> bool:
    """Whether results of the job may be in place already, and its source filed away: see filing.py."""
    return job.state is State.COMMITTING and job.plan is not None and "step" not in job.plan


def _put_off(context: Context, job: Job, error: str) -> None:
    """A fault in sttd is met with the files of a job that cannot fail any more: this job alone waits, longer and longer.

    A job that has ended does not count towards ending the daemon: the next start would meet the fault again.
    """
    context.filing.tries.put_off(job.id, context.clock(), context.config.pool.machine_wait, growing=True)
    text = f"job {job.id}: {printable(job.source)}: its files cannot be moved: a fault in sttd ({printable(error)})"
    if job.plan is not None and context.troubles.begin_for(job.id, f"job {job.id}", text):
        say(Kind.RESULT_TROUBLE, f"{text}; it is tried again, other jobs go on", job, error=error)
