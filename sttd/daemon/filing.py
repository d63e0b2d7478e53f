"""From a whole transcript to files in place: stage, promise in the ledger, publish, file the source away, done.

Each step may be killed and is done again at the next start: until the promise the job counts as running and
its checkpoint holds everything; after it the plan in the ledger says what is to be finished.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sttd import outbox
from sttd.daemon import dispatch
from sttd.daemon.context import Context
from sttd.errors import SourceChanged, SttdError
from sttd.host.events import Kind, say
from sttd.inbox import Own
from sttd.job import Job, State
from sttd.part import Cause
from sttd.text import printable

COPIED = ("audio_seconds", "chunks", "progress", "language_probability", "model", "requested_model")
STAGING = float("inf")  # no next try while an errand is under way


def begin(context: Context, job: Job, warnings: tuple[str, ...]) -> None:
    """Write the results of a job into the staging folder."""
    checkpoint = dispatch.checkpoint_of(context, job)
    source = dispatch.source_path(context, job)
    meta = outbox.Meta.of(job, warnings=warnings, finished_at=context.utc())
    _stage(context, job, lambda: outbox.stage(job, meta, checkpoint.segments, context.config, source))


def copy(context: Context, job: Job, original: Job) -> None:
    """Make the results of a job out of those of a finished one with the same content."""
    source = dispatch.source_path(context, job)
    text = f"job {job.id}: {printable(job.source)} has the content of job {original.id} and gets its result"
    say(Kind.JOB_COPIED, text, job, copy_of=original.id)
    known = {name: getattr(original, name) for name in COPIED}
    _stage(context, job, lambda: outbox.stage_copy(job, original, context.config, source), **known)


def _stage(context: Context, job: Job, work: Callable[[], outbox.Plan | None], **known: Any) -> None:
    """Do the `work` of staging, then publish; `known` goes into the ledger with the promise."""
    context.filing[job.id] = STAGING

    def then(plan: outbox.Plan | None) -> None:
        if plan is None:
            _not_copied(context, job.id)
            return
        changes = known | {"sha256": plan.sha256, "language": plan.language}
        promised = context.ledger.update(
            context.ledger.get(job.id), state=State.COMMITTING, plan=plan.to_json(), **changes
        )
        publish(context, promised)

    def failed(error: OSError | SttdError) -> None:
        current = context.ledger.get(job.id)
        if isinstance(error, SourceChanged):
            dispatch.start_anew(context, current)
            forget_checkpoint(context, current)
        elif isinstance(error, FileNotFoundError) and error.filename == dispatch.source_path(context, job):
            # the next attempt would tell so too; the inbox makes sure whether it is really gone
            context.ledger.update(current, state=State.QUEUED, cause=Cause.GONE, error="the file is not there any more")
            look_for(context, current)
        else:
            _held_up(context, job, "results cannot be written", error)
            context.ledger.update(current, state=State.QUEUED, cause=Cause.MACHINE, error=str(error))
        context.filing.pop(job.id, None)

    context.errands.post(work, then, failed)


def publish(context: Context, job: Job) -> None:
    """Keep the promise of a plan: results to their names, then the source to its place."""
    try:
        plan = outbox.Plan.from_json(job.plan or {})
    except SttdError as error:
        _unpromise(context, job, error)
        return
    context.filing[job.id] = STAGING
    if context.inbox is not None and plan.takes_source:
        context.inbox.forget(job.source)

    def work() -> outbox.Filed:
        return outbox.file_source(plan, outbox.publish(plan))

    def then(filed: outbox.Filed) -> None:
        with context.ledger.transaction():
            current = context.ledger.get(job.id)
            done = context.ledger.update(
                current,
                state=State.DONE,
                plan=None,
                outputs=filed.outputs,
                location=filed.location,
                finished_at=context.utc(),
                error=None,
                cause=None,
            )
        _tell_done(done, filed)
        context.filing.pop(job.id, None)
        context.over("outbox")
        context.over(_folder(plan.source))
        look_again(context, job)
        for twin in context.ledger.waiting_for(job.id):
            copy(context, twin, done)
        forget_checkpoint(context, done)

    def failed(error: OSError | SttdError) -> None:
        if isinstance(error, outbox.Unkept):
            _unpromise(context, context.ledger.get(job.id), error)
            return
        _held_up(context, job, "results cannot be put in place", error, plan.source)
        context.filing[job.id] = context.clock() + context.config.pool.machine_wait

    context.errands.post(work, then, failed)


def give_up(context: Context, job: Job) -> None:
    """A job that the ledger calls failed: its source goes to `failed/`, with the reason beside it."""
    context.filing[job.id] = STAGING
    context.failed_now += 1
    source = dispatch.source_path(context, job)
    if context.inbox is not None and job.location is None:
        context.inbox.forget(job.source)

    def then(location: str | None) -> None:
        context.ledger.update(context.ledger.get(job.id), plan=None, location=location or job.location)
        context.filing.pop(job.id, None)
        context.trouble.pop(_folder(source), None)
        look_again(context, job)
        release_twins(context, job.id)

    def failed(error: OSError | SttdError) -> None:
        _held_up(context, job, "a failed source cannot be put aside", error, source)
        context.filing[job.id] = context.clock() + context.config.pool.machine_wait
        context.failed_now -= 1

    context.errands.post(lambda: outbox.file_failure(job, context.config, source), then, failed)


def retry(context: Context) -> None:
    """Try again what the machine did not let happen."""
    now = context.clock()
    for number in [number for number, when in context.filing.items() if when <= now]:
        finish(context, context.ledger.get(number))


def finish(context: Context, job: Job) -> None:
    """Go on with the files of a job where an earlier try, or an earlier daemon, was stopped."""
    if job.state is State.COMMITTING:
        publish(context, job)
    elif job.state is State.FAILED:
        give_up(context, job)


def put_back(context: Context, event: Own) -> None:
    """Sources under a private name that no plan knows, as after the loss of a ledger: they are new files again."""
    planned = {job.id for job in context.ledger.unfinished()}
    for rel in event.files:
        found = outbox.of_private(rel.rpartition("/")[2])
        if found is None or found[0] in planned:
            continue
        path = f"{context.config.paths.inbox}/{rel}"

        def then(where: str | None) -> None:
            if where is not None:
                text = f"{printable(where)} was being filed away for a job that is not known: it is put back"
                say(Kind.REMARK, text)
                if context.inbox is not None:
                    context.inbox.kick()

        def failed(error: OSError | SttdError, rel: str = rel) -> None:
            say(Kind.REMARK, f"{printable(rel)} cannot be given its name back: {printable(str(error))}")

        context.errands.post(lambda path=path: outbox.put_back(path), then, failed)  # type: ignore[misc]


def _unpromise(context: Context, job: Job, error: SttdError) -> None:
    """A plan that cannot be kept: the job goes on from its checkpoint, where everything is."""
    say(Kind.RESULT_TROUBLE, f"job {job.id}: {printable(str(error))}", job, error=str(error))
    context.filing.pop(job.id, None)
    context.ledger.update(job, state=State.QUEUED, plan=None, queued_at=context.utc(), error=str(error), cause=None)


def release_twins(context: Context, job_id: int) -> None:
    """A job came to no result: whoever waited for it runs itself."""
    with context.ledger.transaction():
        for twin in context.ledger.waiting_for(job_id):
            context.ledger.update(twin, copy_of=None)


def look_for(context: Context, job: Job) -> None:
    """A source is not there. The inbox may have told so while the job ran: it makes sure again, and tells again."""
    if context.inbox is not None and job.location is None:
        context.inbox.expect([job.source])


def look_again(context: Context, job: Job) -> None:
    """A new file may have come under the name before the job ended, and was not taken for one then."""
    if context.inbox is not None and job.location is None:
        context.inbox.forget(job.source)


def _not_copied(context: Context, job_id: int) -> None:
    context.unmatched.add(job_id)
    context.ledger.update(context.ledger.get(job_id), copy_of=None)
    context.filing.pop(job_id, None)


def _held_up(context: Context, job: Job, what: str, error: OSError | SttdError, source: str | None = None) -> None:
    """Say once what is wrong. Nothing starts meanwhile, unless it is only that sttd may not move this `source` away."""
    folder = _folder(source or "")
    # looked at here: an errand has just failed there, so that its mount answers; a rename does not tell which end refused
    if source and isinstance(error, PermissionError) and not os.access(folder, os.W_OK | os.X_OK):
        remedy = f"sttd may not move files out of {folder} (mkdir with a umask of 022?): chmod g+w it"
        if context.say(folder, printable(remedy), 0.0):
            text = f"job {job.id}: {printable(job.source)}: {printable(remedy)}; it is tried again"
            say(Kind.RESULT_TROUBLE, text, job, error=remedy)
        return
    if context.say("outbox", f"{what}: {printable(str(error))}", context.config.pool.machine_wait):
        text = f"job {job.id}: {what}: {printable(str(error))}; it is tried again"
        say(Kind.RESULT_TROUBLE, text, job, error=str(error))


def _folder(path: str) -> str:
    return str(Path(path).parent)


def _tell_done(job: Job, filed: outbox.Filed) -> None:
    name, audio = printable(job.source), job.audio_seconds or 0.0
    text = (
        f"job {job.id}: {name} is done: {audio:.1f} s of audio, language {job.language}, model {job.model}, "
        f"{job.chunks} chunks" + (f" (fallback: {job.fallback_reason})" if job.fallback_reason else "")
    )
    say(
        Kind.JOB_DONE, text, job,
        audio_seconds=audio, seconds=job.service, waited=(job.finished_at or 0.0) - job.created_at, chunks=job.chunks,
        language=job.language, model=job.model, requested_model=job.requested_model,
        fallback_reason=job.fallback_reason, attempts=job.attempts, resumes=job.resumes,
    )  # fmt: skip
    if filed.changed:
        say(Kind.JOB_CHANGED, f"job {job.id}: {name} has changed since; it stays in the inbox as a new job", job)


def forget_checkpoint(context: Context, job: Job) -> None:
    try:
        dispatch.checkpoint_of(context, job).remove()
    except OSError as error:
        text = f"job {job.id}: its checkpoint cannot be removed: {error}"
        say(Kind.CHECKPOINT_TROUBLE, text, job, level="WARNING", error=str(error))
