"""From the ledger to the pool: whose turn it is, and the start of an attempt at a job, or at one of its parts."""

from __future__ import annotations

from sttd.daemon import (
    attempts,
    by_folder,
    filing,
    first,
    library,
    library_disks,
    orders,
    parts,
    readable,
    results,
    spread,
    trial,
    twins,
    whereabouts,
)
from sttd.daemon.context import Context, Running
from sttd.daemon.guard import guard
from sttd.daemon.orders import Order
from sttd.daemon.twins import Turn
from sttd.fs.blame import Blame, blame
from sttd.host.events import Kind, say
from sttd.job import Job, Part, State
from sttd.ledger.facts import PAUSED
from sttd.part import SAMPLE_RATE, Cause
from sttd.pool.protocol import PoolFull
from sttd.rules.deadlines import liveness_limit, longest_start
from sttd.rules.fairness import Queue
from sttd.rules.parts import state_of
from sttd.rules.policy import AT_FAULT
from sttd.text import printable

MOST = 64  # jobs looked at in one call: the loop goes on to its next input in between


def dispatch(context: Context) -> None:
    """Give the free workers something to do, and look at the content of what comes next."""
    context.ledger.end_waits(context.utc())
    trial.step(context)
    passed: set[int] = set()  # jobs that do not start now
    for _ in range(MOST):
        if len(passed) > twins.AHEAD or not may_start(context) or context.pool.free_slots() <= 0:
            break
        picked = pick(context, passed)
        if picked is None:
            if not passed:
                further(context)
            break
        queue, job = picked
        passed.add(job.id)
        with guard(context, job.id):
            bound = _bound(context, job)
            turn = Turn.LATER if bound is None else twins.turn(context, bound)
            if bound is not None and turn is Turn.START:
                submit(context, bound, queue)
            if turn is not Turn.LATER:
                passed.discard(job.id)
    _want(context, passed)
    _make_room(context, passed)
    if not context.stopping:
        twins.follow(context)
        twins.look_ahead(context)


def _make_room(context: Context, passed: set[int]) -> None:
    """While a job waits, a long recording that has more than one worker gives one up."""
    running = spread.spare(context) if context.pool.free_slots() <= 0 else None
    if running is not None and may_start(context) and pick(context, passed) is not None:
        spread.give_way(context, running)


def _want(context: Context, passed: set[int]) -> None:
    """Tell the pool if there is more to do than it has slots: it connects to workers elsewhere."""
    pool = context.pool
    if not pool.can_grow() or pool.free_slots() > 0 or not may_start(context):
        return
    if pick(context, passed) is not None:
        pool.want(context.ledger.counts()[State.QUEUED])
    else:
        pool.want(spread.waiting(context))


def _bound(context: Context, job: Job) -> Job | None:
    """The job with the options of its folder; None: its inbox, a disk, these options or its file keep it from starting now."""
    if whereabouts.waits_alone(context, job) or whereabouts.waits_for_inbox(context, job):
        return None
    ready = library_disks.ready(context, job)
    bound = None if ready is None else by_folder.bind(context, ready)
    if bound is None or readable.waits(context, bound) or library.waits(context, bound):
        return None
    return bound


def may_start(context: Context) -> bool:
    """Whether a job may start now: not while stopping, paused, held up, without an inbox, or short of memory while one runs."""
    if whereabouts.are_all_away(context):
        return False
    if context.stopping or context.troubles.hold() or context.ledger.fact(PAUSED):
        return False
    return not (context.starting.busy_only and context.running)


def pick(context: Context, passed: set[int]) -> tuple[Queue, Job] | None:
    """The next job, and the queue it comes from."""
    if (wanted := first.pick(context, passed)) is not None:
        return wanted
    for owner, queue in context.starting.turns.order(context.ledger.waiting_owners(), orders.slice_of(context)):
        job = context.ledger.next_job(owner, queue, passed)
        if job is not None:
            return queue, job
    return None


def submit(context: Context, job: Job, queue: Queue) -> None:
    """One attempt at one job whose turn has come."""
    try:
        order = spread.order(context, job, turn=True)
    except OSError as error:
        _not_resumed(context, job, error)
        return
    context.troubles.end("checkpoint")
    if order is None:
        _nothing_to_begin(context, context.ledger.get(job.id))
    else:
        begin(context, order, queue)


def _nothing_to_begin(context: Context, job: Job) -> None:
    """No part of a job can be given to a worker now."""
    if state_of(context.ledger.parts(job), cancelled=False) is State.QUEUED:
        spread.wait(context, job)
    else:  # all parts are done, or one has failed: its results could not be put in place, say
        with context.ledger.transaction():
            job = parts.settle(context, job)
        filing.advance(context, job)


def further(context: Context) -> None:
    """No job waits: free workers get further parts of the jobs that run."""
    for job in spread.candidates(context):
        if not may_start(context) or context.pool.free_slots() <= 0:
            return
        with guard(context, job.id):
            try:
                order = spread.order(context, job, turn=False)
            except OSError:  # `submit` reports it, when the job's turn has come
                continue
            if order is not None:
                begin(context, order, "served")


def begin(context: Context, order: Order, queue: Queue) -> None:
    """Give a job, or a part of one, to a worker."""
    now, job = context.utc(), order.job
    with context.ledger.transaction():
        job, part = _stored(context, order, now)
        context.ledger.begin_attempt(job, now, 0 if part is None else part.number)
    existing = None if part is not None else library.existing(context, job, order.options)
    spec = orders.part_spec(context, job, order, existing)
    context.counts.happened.resumes += spec.next_index > 0
    charge = context.starting.turns.begin(job.owner, queue, orders.slice_of(context))
    running = Running(job, spec, order.checkpoint, charge, context.clock(), part, begins=spread.begins_of(order))
    context.running[spec.part_id] = running
    limit = liveness_limit(spec.model.load_timeout)
    context.deadlines.waiting(spec.part_id, running.submitted, limit, longest_start(limit, spec.size))
    try:
        placed = context.pool.submit(spec, context.starting.models.reasons(spec.model.name, context.clock()))
    except PoolFull as error:  # the worker that was free has just been lost, or its machine: no fault of the job
        _not_placed(context, running, str(error))
        return
    # known from here on, so that a load that fails can be logged with its worker
    running.spec, running.worker, running.node, running.pid = placed.part, placed.name, placed.node, placed.pid
    _say_started(running)


def _not_placed(context: Context, running: Running, why: str) -> None:
    """No worker has taken the attempt: it ends, and its job gets another turn.

    If the ledger cannot be written now, the next sweep finds the row.
    """
    try:
        results.ended(context, running, Cause.ASKED, why)
    finally:
        if context.running.get(running.spec.part_id) is running:
            attempts.drop(context, running)


def _stored(context: Context, order: Order, now: float) -> tuple[Job, Part | None]:
    """Update the rows of an attempt that begins, with the progress that its checkpoint has."""
    ledger, job, resume = context.ledger, order.job, order.resume
    known = {"state": State.RUNNING, "attempt": job.attempt + 1, "chunks": resume.index}
    of_job = {"options_key": order.key, "requested_model": order.model.name} | orders.heard(job, resume)
    if job.state is State.QUEUED:
        of_job |= {"started_at": now}
    if order.part is None:
        resumes, progress = job.resumes + (resume.index > 0), resume.sample / SAMPLE_RATE
        return ledger.update(job, **known, **of_job, resumes=resumes, progress=progress), None
    resumes, progress = order.part.resumes + (resume.index > 0), spread.progress_of(resume, order.part)
    part = ledger.update_part(order.part, **known, resumes=resumes, progress=progress)
    known |= of_job | ledger.sums(job)
    return ledger.update(job, **known), part


def _not_resumed(context: Context, job: Job, error: OSError) -> None:
    """The checkpoint of a job cannot be read. Other jobs go first; if the disk is at fault, they wait as well."""
    wait, text = context.config.pool.machine_wait, f"its checkpoint cannot be read: {printable(str(error))}"
    is_news = job.error != text
    waits = {"queued_at": context.utc(), "not_before": context.utc() + wait, "cause": Cause.MACHINE, "error": text}
    context.ledger.update(job, **waits)
    if blame(error) is Blame.MACHINE:
        is_news = context.troubles.begin("checkpoint", f"checkpoints cannot be read: {printable(str(error))}", wait)
    if is_news:
        say(Kind.CHECKPOINT_TROUBLE, f"job {job.id}: {text}; it is tried again", job, error=str(error))


def _say_started(running: Running) -> None:
    job, spec = running.job, running.spec
    place = spec.resume_from / SAMPLE_RATE
    words = f"resumes at {place:.0f} s" if spec.next_index else "starts"
    again = (
        running.tried.cause in AT_FAULT
    )  # one more try after a fault of the machine, whose begin and end have lines of their own
    say(
        Kind.JOB_RESUMED if spec.next_index else Kind.JOB_STARTED,
        f"job {job.id}: {parts.named(job, running.part)} {words}, attempt {job.attempt}", job, level="DEBUG" if again else None,
        worker=running.label, attempt=job.attempt, resume_at=place, requested_model=spec.model.name,
        batch_size=spec.options.batch_size,
    )  # fmt: skip
