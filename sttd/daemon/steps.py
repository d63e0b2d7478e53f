"""The steps of filing (see filing.py), each as a value: what is done off the loop, and what then happens to the job's row."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sttd import outbox
from sttd.daemon import library_disks, orders, parts, setbacks
from sttd.daemon.context import Context
from sttd.daemon.earlier import earlier_results
from sttd.daemon.source import look_again, look_for, source_path, start_anew
from sttd.daemon.telling import tell_done
from sttd.daemon.troubles import ARCHIVE, TRANSCRIPTS
from sttd.errors import SourceChanged, SttdError
from sttd.fs.blame import Blame, blame
from sttd.fs.folder import split
from sttd.host.events import Kind, say
from sttd.job import Job, State
from sttd.ledger.checkpoint import Broken
from sttd.ledger.facts import PLACES
from sttd.part import Cause
from sttd.text import printable

COPIED = ("audio_seconds", "chunks", "progress", "language_probability", "model", "requested_model", "warnings")


@dataclass(frozen=True, slots=True)
class Step:
    """`then` and `failed` get the row as it is when the work is back. Every step can be killed, and is done again."""

    name: str  # in words for `sttd status`
    work: Callable[[], Any]  # off the loop
    then: Callable[[Job, Any], None]
    failed: Callable[[Job, OSError | SttdError], None]


def stage(context: Context, job: Job) -> Step:
    """Write the results of a job into the staging folder."""
    whole, options = orders.transcript_of(context, job), (job.plan or {}).get("options")
    config = orders.configured(context, job)
    now, earlier = context.utc(), earlier_results(context, job)

    def work() -> tuple[outbox.Plan, dict[str, Any]] | Broken:
        if (broken := whole.broken()) is not None:
            return broken
        heard = outbox.Heard.of(whole.chunks())
        known = {"warnings": outbox.warnings_of(job, heard), "language_probability": heard.probability}
        row = job.evolve(**known, language=heard.language)
        meta = outbox.Meta.of(row, finished_at=now, languages=heard.languages, channels=heard.channels, options=options)
        return outbox.stage(job, meta, whole.segments, config, context.places, earlier=earlier), known

    def then(row: Job, staged: tuple[outbox.Plan, dict[str, Any]] | Broken) -> None:
        if isinstance(staged, Broken):
            _mend(context, row, staged)
        else:
            plan, known = staged
            _promise(context, row, plan, **known)

    name = f"writes the results of {printable(job.source)}"
    return Step(name, work, then, lambda row, error: not_staged(context, row, error))


def _mend(context: Context, row: Job, broken: Broken) -> None:
    """The chunks of a job are not what they were: what is missing is transcribed again."""
    part = None
    with context.ledger.transaction():
        if row.shared is not None:
            part = parts.reopen(context, row, broken)
        if part is not None and part.state is State.FAILED:
            row = parts.give_up(context, row, part)
        else:
            why = f"{parts.words(row, part)} begins elsewhere than the part before it ends"
            setbacks.transcribe_again(context, row, why if broken.is_apart else "its checkpoint is not what it was")
    if part is not None and broken.is_apart:
        with contextlib.suppress(OSError):  # if it fails, the next attempt finds the same chunks, and this comes again
            orders.checkpoint_of(context, row, part=part).discard()
    if row.state is State.FAILED:
        context.counts.failed_now += 1
        say(
            Kind.JOB_FAILED,
            f"job {row.id}: {printable(row.source)} failed: {printable(row.error or '')}",
            row,
            error=row.error,
        )


def stage_copy(context: Context, job: Job) -> Step:
    """Make the results of a job out of those of a finished one with the same content."""
    original = context.ledger.find(job.copy_of or 0)
    known = {} if original is None else {name: getattr(original, name) for name in COPIED}
    config, earlier = orders.configured(context, job), earlier_results(context, job)

    def work() -> outbox.Plan | None:
        return None if original is None else outbox.stage_copy(job, original, config, context.places, earlier=earlier)

    def then(row: Job, plan: outbox.Plan | None) -> None:
        if plan is None:  # the other one's results are gone, or say something else
            context.ledger.update(row, state=State.QUEUED, plan=None, copy_of=None, no_copy=True)
        else:
            _promise(context, row, plan, **known)

    name = f"copies the results of job {job.copy_of} for {printable(job.source)}"
    return Step(name, work, then, lambda row, error: not_staged(context, row, error))


def _promise(context: Context, row: Job, plan: outbox.Plan, **known: Any) -> None:
    """The results are staged: from here on the plan says what is to be put in place."""
    _remember_places(context)
    context.ledger.update(row, plan=plan.to_json(), sha256=plan.sha256, language=plan.language, **known)
    context.troubles.end_for(row.id)


def not_staged(context: Context, row: Job, error: OSError | SttdError) -> None:
    if isinstance(error, SourceChanged):
        start_anew(context, row, settled=True)
        remove_checkpoint(context, row)
    elif isinstance(error, FileNotFoundError) and error.filename == source_path(context, row):
        # the next attempt would find it out too; the inbox makes sure whether it is really gone
        again = {"plan": None, "copy_of": None, "cause": Cause.GONE, "error": "the file is not there any more"}
        look_for(context, context.ledger.update(row, state=State.QUEUED, **again))
    else:
        setbacks.in_vain(context, row, "its results cannot be written", error)


def publish(context: Context, job: Job) -> Step | None:
    """Carry out a plan: results get their names, then the source goes to its place."""
    try:
        plan = outbox.Plan.from_json(job.plan or {})
    except SttdError as error:
        setbacks.transcribe_again(context, job, str(error))
        return None
    if context.inbox is not None and plan.takes_source and plan.location is None:
        context.inbox.forget(job.source)

    def failed(row: Job, error: OSError | SttdError) -> None:
        if isinstance(error, outbox.Unkept):
            setbacks.transcribe_again(context, row, str(error), error.moved_to)
        elif isinstance(error, setbacks.Unnameable):
            setbacks.unnameable(context, row, error)
        else:
            setbacks.in_vain(context, row, "its results cannot be put in place", error, source_path(context, row))

    def work() -> outbox.Filed:
        try:
            return outbox.keep(plan, context.places)
        except OSError as error:
            # results of an earlier try would belong to no job: take them back; if that cannot be done, the step is tried again
            if blame(error) is Blame.NAME and outbox.undo(job, config, context.places):
                raise setbacks.Unnameable(str(error)) from error
            raise

    def then(row: Job, filed: outbox.Filed) -> None:
        _done(context, row, filed, plan)

    name, config = f"puts the results of {printable(job.source)} in place", orders.configured(context, job)
    return Step(name, work, then, failed)


def _done(context: Context, row: Job, filed: outbox.Filed, plan: outbox.Plan) -> None:
    _remember_places(context)
    hashes = tuple(plan.hashes[path.rpartition(".")[2]] for path in filed.outputs)
    with context.ledger.transaction():
        for job in context.ledger.done_for(row.source) if plan.replaces else ():
            rest = outbox.left_of(job, plan, filed.outputs)
            context.ledger.update(job, outputs=tuple(rest), hashes=tuple(rest.values()))
        done = context.ledger.update(
            row, state=State.DONE, plan=None, outputs=filed.outputs, hashes=hashes,
            location=filed.location if plan.takes_source else row.location,  # not None outside of an inbox
            finished_at=context.utc(), error=None, cause=None,
        )  # fmt: skip
    context.judging.faults.ended_well()
    tell_done(done, filed)
    context.troubles.end_for(row.id)
    context.troubles.end(TRANSCRIPTS)
    if plan.takes_source and filed.location and split(str(context.config.paths.archive), filed.location) is not None:
        context.troubles.end(ARCHIVE)  # a job that moved no source says nothing of the archive
    library_disks.went_well(context, row)
    look_again(context, row)
    if filed.changed and context.inbox is not None:
        context.inbox.kick()  # `look_again` has just made it forget the changed file
    remove_checkpoint(context, done)
    context.shared.listener.ended(done)
    config = orders.configured(context, done)
    work = lambda: outbox.remove_staging(done, config, context.places)  # noqa: E731
    context.work.errands.post("removes an empty staging folder", work, _nothing, _nothing)


def undo(context: Context, job: Job) -> Step:
    """Take back what was staged and placed of a cancelled job; its source stays where it was dropped."""

    def then(row: Job, undone: bool) -> None:
        if undone:
            _cancelled(context, row)
        else:  # too late: its source is filed away already
            context.ledger.update(row, cause=None)

    def failed(row: Job, error: OSError | SttdError) -> None:
        # whether its source is filed away already is not known
        what = "what was written of it cannot be taken back"
        setbacks.in_vain(context, row, what, error, alone=context.config.paths.transcripts)

    name, config = f"takes back what was written of {printable(job.source)}", orders.configured(context, job)
    return Step(name, lambda: outbox.undo(job, config, context.places), then, failed)


def _cancelled(context: Context, row: Job) -> None:
    job = context.ledger.update(
        row,
        state=State.CANCELLED,
        cause=Cause.CANCELLED,
        error=None,
        plan=None,
        copy_of=None,
        finished_at=context.utc(),
    )
    context.troubles.end_for(job.id)
    say(Kind.JOB_CANCELLED, f"job {job.id}: {printable(job.source)} is cancelled", job)
    look_again(context, job)
    context.shared.listener.ended(job)


def put_aside(context: Context, job: Job) -> Step:
    """A failed job: its source goes to `failed/`, with the reason beside it."""
    source = source_path(context, job)
    if context.inbox is not None and job.location is None:
        context.inbox.forget(job.source)

    def then(row: Job, put: outbox.PutAside) -> None:
        _remember_places(context)
        job = context.ledger.update(row, plan=None, location=put.location)
        if put.kept_because:
            say(Kind.RESULT_TROUBLE, f"job {row.id}: its source stays in the inbox: {printable(put.kept_because)}", row)
        context.troubles.end_for(row.id)
        look_again(context, row)
        context.shared.listener.ended(job)

    def failed(row: Job, error: OSError | SttdError) -> None:
        setbacks.in_vain(
            context, row, "its source cannot be put aside", error, source, alone=context.config.paths.failed
        )

    name, config = f"moves {printable(job.source)} to failed/", orders.configured(context, job)
    return Step(name, lambda: outbox.file_failure(job, config, context.places), then, failed)


def _remember_places(context: Context) -> None:
    """A folder was used for the first time: the next start is to know it again."""
    news = context.places.news()
    if news is not None:
        context.ledger.set_fact(PLACES, news)


def _nothing(_: object) -> None:
    """Nothing follows from an errand that nobody waits for."""


def remove_checkpoint(context: Context, job: Job) -> None:
    context.shared.drop(job.id)
    try:
        orders.checkpoint_of(context, job).remove()
    except OSError as error:
        text = f"job {job.id}: its checkpoint cannot be removed: {error}"
        say(Kind.CHECKPOINT_TROUBLE, text, job, level="WARNING", error=str(error))
