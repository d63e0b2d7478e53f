"""From the ledger to the pool: whose turn it is, whether its content is known already, and the part's orders."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Any

from sttd.daemon import filing
from sttd.daemon.context import Context, Running
from sttd.errors import SttdError
from sttd.fs.sparse import is_unwritten
from sttd.host.events import Kind, say
from sttd.job import Identity, Job, State
from sttd.ledger import WORK, Checkpoint, Resume
from sttd.ledger.checkpoint import options_key
from sttd.ledger.fresh import fresh
from sttd.part import ModelSpec, Options, PartSpec
from sttd.rules.deadlines import liveness_limit
from sttd.rules.fairness import Lane
from sttd.rules.policy import JITTER
from sttd.text import printable

LONGEST_SLICE = 3600.0  # seconds, where `pool.job_timeout` is longer or infinite


def dispatch(context: Context) -> None:
    """Give the free workers something to do."""
    while may_start(context) and context.pool.free_slots() > 0:
        picked = pick(context)
        if picked is None:
            return
        lane, job = picked
        if not known_content(context, job):
            submit(context, job, lane)


def may_start(context: Context) -> bool:
    """Whether a job may start now: not while stopping, paused, held up, the inbox away, or short of memory with a job running."""
    if context.inbox is not None and context.inbox.away is not None:
        return False
    if context.stopping or context.held() or context.ledger.fact("paused", default=False):
        return False
    return not (context.busy_only and context.running)


def pick(context: Context) -> tuple[Lane, Job] | None:
    """The next job, and the lane it comes from."""
    now = context.utc()
    for owner, lane in context.turns.order(context.ledger.waiting_owners(), slice_of(context)):
        job = context.ledger.next_job(owner, lane, now, context.hashing)
        if job is not None:
            return lane, job
    return None


def slice_of(context: Context) -> float:
    """Seconds that a worker spends on one job before it is another one's turn; the most that fairness makes up for."""
    return min(context.config.pool.job_timeout, LONGEST_SLICE)


def source_path(context: Context, job: Job) -> str:
    """Where the bytes of a job lie."""
    return job.location or os.path.join(context.config.paths.inbox, job.source)  # noqa: PTH118 - bytes-safe strings


def wanted(context: Context, job: Job) -> tuple[ModelSpec, Options]:
    """The model and the options of a job: the configured ones, with what a person asked for it alone."""
    name = job.overrides.model or context.config.model.name
    until, reason = context.model_holds.get(name, (0.0, ""))
    spec = context.config.model_spec(name, reason if context.clock() < until else "")
    if job.device is not None:
        spec = dataclasses.replace(spec, device=job.device)
    options = context.config.options()
    if job.overrides.language is not None:
        options = dataclasses.replace(options, language=job.overrides.language, languages=())
    if job.batch_size is not None:
        options = dataclasses.replace(options, batch_size=job.batch_size)
    return spec, options


def key_of(context: Context, job: Job) -> str:
    spec, options = wanted(context, job)
    return options_key(options, spec.name)


def checkpoint_of(context: Context, job: Job) -> Checkpoint:
    return Checkpoint(context.config.paths.state / WORK, job, job.options_key or key_of(context, job))


def submit(context: Context, job: Job, lane: Lane) -> None:
    """One attempt at one job."""
    spec, options = wanted(context, job)
    key = options_key(options, spec.name)
    checkpoint = Checkpoint(context.config.paths.state / WORK, job, key)
    try:
        resume = checkpoint.resume()
    except OSError as error:
        if context.say("checkpoint", f"checkpoints cannot be read: {error}", context.config.pool.machine_wait):
            text = f"job {job.id}: its checkpoint cannot be read: {error}"
            say(Kind.CHECKPOINT_TROUBLE, text, job, error=str(error))
        return
    context.over("checkpoint")
    now = context.utc()
    ledger = context.ledger
    with ledger.transaction():
        job = ledger.update(
            job,
            state=State.RUNNING,
            attempt=job.attempt + 1,
            resumes=job.resumes + (resume.index > 0),
            chunks=resume.index,
            progress=resume.sample / 16_000,
            started_at=now,
            options_key=key,
            requested_model=spec.name,
            **heard(job, resume),
        )
        ledger.begin_attempt(job, now)
    part = orders(context, job, spec, options, resume)
    turn = context.turns.begin(job.owner, lane, slice_of(context))
    running = Running(job, part, checkpoint, turn, context.clock())
    context.running[part.part_id] = running
    context.deadlines.waiting(part.part_id, running.submitted, liveness_limit(spec.load_timeout))
    context.pool.submit(part)
    # known from here on, so that a load that fails can be told of with its worker
    running.pid = next((view.pid for view in context.pool.workers() if view.part_id == part.part_id), None)
    _say_started(running)


def heard(job: Job, resume: Resume) -> dict[str, Any]:
    """The checkpoint may know what the ledger does not: that was made anew, or missed the end of a chunk's writing."""
    if job.language is not None or resume.language is None:
        return {}
    return {"language": resume.language, "language_probability": resume.language_probability}


def orders(context: Context, job: Job, spec: ModelSpec, options: Options, resume: Resume) -> PartSpec:
    """What the worker is told."""
    return PartSpec(
        part_id=f"{job.id}.0",
        attempt=job.attempt,
        source=source_path(context, job),
        size=job.size,
        mtime_ns=job.mtime_ns,
        model=spec,
        options=options,
        resume_from=resume.sample,
        next_index=resume.index,
        language=resume.language,
        language_probability=resume.language_probability,
        budget=context.config.pool.job_timeout,
    )


def _say_started(running: Running) -> None:
    job, spec = running.job, running.spec
    place = spec.resume_from / 16000
    words = f"resumes at {place:.0f} s" if spec.next_index else "starts"
    say(
        Kind.JOB_RESUMED if spec.next_index else Kind.JOB_STARTED,
        f"job {job.id}: {printable(job.source)} {words}, attempt {job.attempt}", job,
        worker=running.pid, attempt=job.attempt, resume_at=place, requested_model=spec.model.name,
        batch_size=spec.options.batch_size,
    )  # fmt: skip


def known_content(context: Context, job: Job) -> bool:
    """Whether the job need not start now: it is a twin of another one, or is being looked at for that.

    Hashes are taken off the loop, and only where a size repeats.
    """
    if not context.config.watch.dedupe or job.redo_of is not None or job.id in context.unmatched:
        return False
    key = key_of(context, job)
    # one that only waits is no twin to wait for, unless its turn came before and it was looked at
    others = [other for other in context.ledger.same_size(job) if counts_as_twin(other, job, key)]
    if not others:
        return False
    unknown = [each for each in (job, *others) if each.sha256 is None]
    if unknown:
        hash_contents(context, job, unknown)
        return True
    twin = next((other for other in others if other.sha256 == job.sha256), None)
    if twin is None or not job.sha256:
        return False
    context.ledger.update(job, copy_of=twin.id, options_key=key)
    if twin.state is State.DONE:
        filing.copy(context, job, twin)
    return True


def counts_as_twin(other: Job, job: Job, key: str) -> bool:
    """Whether `other` has, or is about to have, a result that would be the job's own."""
    if other.options_key != key or other.copy_of == job.id or other.fallback_reason:
        return False
    if other.state is State.DONE:
        return other.sha256 is not None and bool(other.outputs)
    return other.state in (State.RUNNING, State.COMMITTING)


def hash_contents(context: Context, job: Job, unknown: list[Job]) -> None:
    """Hash the contents of `unknown` off the loop; `job` is looked at again afterwards."""
    sources = {each.id: (source_path(context, each), each.identity) for each in unknown}
    context.hashing.add(job.id)

    def work() -> dict[int, str | None]:
        return {number: content_hash(path, identity) for number, (path, identity) in sources.items()}

    def then(hashes: dict[int, str | None]) -> None:
        with context.ledger.transaction():
            for number, value in hashes.items():
                # "": it could not be read, and is nobody's twin; the worker will say what is the matter
                context.ledger.update(context.ledger.get(number), sha256=value or "")
        for running in context.running.values():
            if running.job.id in hashes:
                running.job = dataclasses.replace(running.job, sha256=hashes[running.job.id] or "")
        context.hashing.discard(job.id)

    def failed(error: OSError | SttdError) -> None:
        say(Kind.REMARK, f"job {job.id}: its content could not be compared: {error}", job, error=str(error))
        then(dict.fromkeys(sources))

    context.errands.post(work, then, failed)


def content_hash(path: str, identity: Identity) -> str | None:
    """SHA-256 of a version of a file.

    None: it cannot be read, is another version before or afterwards, or would be read for hours for nothing.
    """
    try:
        with Path(path).open("rb") as file:
            if Identity.of(os.fstat(file.fileno())) != identity or is_unwritten(file.fileno()):
                return None
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return digest if Identity.of(os.fstat(file.fileno())) == identity else None
    except OSError:
        return None


def start_anew(context: Context, job: Job) -> Job:
    """The source is not what was queued: the job is about the file as it is now, once it has settled."""
    try:
        # the stat may be made here: a worker, or an errand, has just looked at the file, so that its mount answers
        identity = Identity.of(os.stat(source_path(context, job)))  # noqa: PTH116
    except OSError:
        identity = job.identity  # the inbox will tell that it is gone
    now = context.utc()
    changes = fresh(identity) | {"not_before": now + context.config.settle(), "queued_at": now, "options_key": None}
    say(Kind.JOB_CHANGED, f"job {job.id}: {printable(job.source)} has changed and starts again as it is now", job)
    return context.ledger.update(job, state=State.QUEUED, **changes)


def clamp_waits(context: Context) -> None:
    """No job waits longer than the longest configured wait, whatever became of the clock or the waits since it was stored."""
    pool = context.config.pool
    longest = max(*pool.retry_waits, pool.machine_wait, context.config.settle()) * (1 + JITTER)
    if context.ledger.clamp_waits(context.utc(), longest):
        text = f"the clock was set back since jobs were queued: each waits {longest:.0f} s at most from now"
        say(Kind.CLOCK_SET_BACK, text, wait=longest)
