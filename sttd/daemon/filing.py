"""From a whole transcript to files in place. The job's `plan` names its next step:

    committing  {"step": "stage"}    write the results into the staging folder, from the checkpoint
    committing  {"step": "copy"}     the same, from the results of the job that `copy_of` names
    committing  {"step": "follow"}   rename the results of the recording that `copy_of` was about: it has another name now
    committing  an outbox.Plan       give the results their names, file the source away: done
    failed      {"step": "fail"}     put the source aside, with the reason beside it

A person who cancels a running or committing job sets its cause to "cancelled": then what was put in place is taken back.

Each step may be killed and is done again: by the next sweep, or by the next start. Only the row says what is due.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sttd import inboxes
from sttd.daemon import following, library_disks, steps, whereabouts
from sttd.daemon.context import Context
from sttd.daemon.guard import guard
from sttd.daemon.steps import Step
from sttd.daemon.troubles import OUTBOX
from sttd.errors import SttdError
from sttd.fs.rights import why_unchangeable
from sttd.job import Job, State
from sttd.part import Cause

PAGE = 500  # jobs with a plan that are looked at in one call
MOST = 32  # jobs whose files are moved at a time: the ledger holds the rest

STEPS: dict[str, Callable[[Context, Job], Step | None]] = {
    "stage": steps.stage,
    "copy": steps.stage_copy,
    "follow": following.follow,
    "publish": steps.publish,
    "undo": steps.undo,
    "fail": steps.put_aside,
    "": lambda _context, _job: None,
}
ALWAYS = ("undo", "fail")  # steps that wait for no disk of a library


def room(context: Context) -> int:
    """How many more jobs may begin to have their files moved."""
    return max(0, MOST - len(context.filing.tries))


def step_of(job: Job) -> str:
    """What is to be done for a job next: a key of `STEPS`; "" for nothing."""
    if job.state is State.COMMITTING:
        step = (job.plan or {}).get("step", "publish")
        if job.cause == Cause.CANCELLED:
            return "undo"
        return step if step in ("stage", "copy", "follow") else "publish"
    return "fail" if job.state is State.FAILED and job.plan is not None else ""


def advance(context: Context, job: Job) -> None:
    """Take a job's next step, unless one is under way, or failed a short while ago."""
    now = context.clock()
    if context.stopping or not context.filing.tries.may_begin(job.id, now) or not room(context):
        return
    if job.location is None and _is_unsure(context, job):
        context.filing.tries.put_off(job.id, now, context.config.pool.machine_wait, growing=False)
        return
    if step_of(job) in ALWAYS:
        library_disks.drop(context, job.id)
    elif not library_disks.may_try(context, job):
        return
    step = STEPS[step_of(job)](context, job)
    if step is not None:
        _post(context, job, step)


def _is_unsure(context: Context, job: Job) -> bool:
    """Whether it is not known which folder the job's inbox is, or that inbox, one of several, is away."""
    where = context.recordings.whereabouts.of[inboxes.split(job.source)[0]]
    return where.undecided or (bool(context.config.watched) and whereabouts.is_away(context, job))


def _post(context: Context, job: Job, step: Step) -> None:
    """Do a step's work off the loop. Then its outcome is applied to the current row, if that has not gone on meanwhile."""
    context.filing.tries.begin(job.id)

    def back(act: Callable[[Job], None], *, is_final: bool) -> None:
        context.filing.tries.back(job.id)
        with guard(context, job.id):
            row = context.ledger.get(job.id)
            is_where_it_was = (row.state, row.attempt, row.plan) == (job.state, job.attempt, job.plan)
            # a job that was cancelled meanwhile has another cause: the next step takes back what this one wrote
            if is_where_it_was and (is_final or row.cause == job.cause):
                act(row)
        if not context.filing.tries.waits(job.id, context.clock()):
            context.filing.tries.end(job.id)
        _go_on(context, job.id)  # the next step, or what a person asked for meanwhile

    def then(result: Any) -> None:
        back(lambda row: step.then(row, result), is_final=step_of(job) == "publish")

    def failed(error: OSError | SttdError) -> None:
        back(lambda row: step.failed(row, error), is_final=False)

    def work() -> Any:
        if step_of(job) not in ALWAYS:
            library_disks.require(context, job)
        try:
            return step.work()
        except PermissionError as error:  # looked into here: on the loop no share is touched
            if (why := why_unchangeable(error)) is not None:
                error.add_note(why)
            raise

    context.work.errands.post(step.name, work, then, failed, job.id)


def resume(context: Context) -> None:
    """Go on with the files of jobs that have something to be done, as their rows say.

    Tries that are due come first, and leave room for others. One call looks at a bounded number of rows, and the next call
    goes on behind them.
    """
    now = context.clock()
    for number in (*context.filing.disks.due(now), *context.filing.tries.due(now, (room(context) + 1) // 2)):
        _go_on(context, number)
    page = context.ledger.planned(context.filing.last, PAGE)
    for number in page:
        if not room(context):
            break
        if context.filing.tries.may_begin(number, now) and not context.filing.disks.waits(number, now):
            _go_on(context, number)
        context.filing.last = number
    else:
        context.filing.last = page[-1] if len(page) == PAGE else 0
    if not context.filing.tries.struggle():
        for name in OUTBOX:
            context.troubles.end(name)


def _go_on(context: Context, number: int) -> None:
    with guard(context, number):
        job = context.ledger.find(number)
        if job is None or not step_of(job):
            _nothing_left(context, number)
        else:
            advance(context, job)


def _nothing_left(context: Context, number: int) -> None:
    """Nothing is to be done with the files of a job any more."""
    context.filing.tries.end(number)
    library_disks.drop(context, number)
    context.troubles.end_for(number)


def cancel(context: Context, job: Job) -> None:
    """Cancel a committing job. If its files are being put in place now, it may be too late: then the job is done."""
    context.filing.tries.hurry(job.id)
    advance(context, context.ledger.update(job, cause=Cause.CANCELLED))
