"""The step for a recording that was done under another name: its results are renamed, and nothing is transcribed."""

from __future__ import annotations

from sttd import outbox
from sttd.daemon import library_disks, steps
from sttd.daemon.context import Context
from sttd.daemon.source import look_again
from sttd.daemon.steps import Step
from sttd.errors import SttdError
from sttd.host.events import Kind, say
from sttd.job import Job, State
from sttd.outbox import Followed
from sttd.text import printable

SHARED = (*steps.COPIED, "language", "sha256", "options_key", "requested_model", "fallback_reason")


def follow(context: Context, job: Job) -> Step:
    """Rename the results of the job that `copy_of` names."""
    former = context.ledger.find(job.copy_of or 0)
    results = {} if former is None else outbox.results_of(context.ledger.done_with(former.source))

    def work() -> Followed | None:
        return None if former is None else outbox.follow(job, former.source, results, context.places)

    def then(row: Job, followed: Followed | None) -> None:
        if former is None or followed is None:  # forgotten meanwhile
            context.ledger.update(row, state=State.QUEUED, plan=None, copy_of=None)
        else:
            _done(context, row, former, followed)

    def failed(row: Job, error: OSError | SttdError) -> None:
        steps.not_staged(context, row, error)

    return Step(f"renames the results of {printable(job.source)}", work, then, failed)


def _done(context: Context, row: Job, former: Job, followed: Followed) -> None:
    known = {name: getattr(former, name) for name in SHARED}
    with context.ledger.transaction():
        for job in context.ledger.done_with(former.source):
            rest = {path: sha256 for path, sha256 in outbox.results_of([job]).items() if path in followed.left}
            # without its hash the former job is not found again when a copy of the recording comes
            left = {"outputs": tuple(rest), "hashes": tuple(rest.values())}
            context.ledger.update(job, location="", sha256=None, **left)
        outputs = {"outputs": tuple(followed.outputs), "hashes": tuple(followed.outputs.values())}
        done = context.ledger.update(
            row, state=State.DONE, plan=None, finished_at=context.utc(), error=None, cause=None, **known, **outputs
        )
    context.troubles.end_for(row.id)
    library_disks.went_well(context, row)
    name = printable(row.source)
    text = f"job {row.id}: {name} is {printable(former.source)} under a new name, which job {former.id} has transcribed"
    say(Kind.JOB_COPIED, text, done, copy_of=former.id)
    if followed.left:
        files = ", ".join(map(printable, followed.left))
        say(
            Kind.REMARK,
            f"job {row.id}: results that are not sttd's any more, or may not be renamed, stay: {files}",
            done,
        )
    look_again(context, done)
