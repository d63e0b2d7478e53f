"""Before the turn of a recording: was it done already under another name, or are its subtitles there already?

The look is made on the thread of the content checks, once for each job: the daemon's loop waits for no disk. What is inside
the file is looked at by its worker, which is told what lies beside the file.
"""

from __future__ import annotations

from dataclasses import dataclass

from sttd import outbox
from sttd.daemon import filing, orders, whereabouts
from sttd.daemon.context import Context
from sttd.daemon.looked import Sidecars
from sttd.daemon.source import look_again
from sttd.daemon.twins import content_hash
from sttd.errors import SttdError
from sttd.existing import beside, enough
from sttd.host.events import Kind, say
from sttd.job import Job, Overrides, State
from sttd.part import Cause, Existing, Options
from sttd.text import printable

MOST = 8  # jobs that are looked at at a time
PATIENCE = 3600.0  # seconds; a disk that takes longer over one look keeps no other recording waiting
LIKE = 16  # finished jobs of the same size whose recordings are looked for


@dataclass(frozen=True, slots=True)
class LibraryLook:
    """What a look came to."""

    sha256: str | None = None  # of the recording, where it was needed
    former: int | None = None  # the job that has transcribed it under another name
    why: str | None = None  # it needs no transcript
    beside: Sidecars = ()  # names and languages of its subtitles


def waits(context: Context, job: Job) -> bool:
    """Whether the job waits for a look at its recording, which may need no worker. Called when its turn has come."""
    looked, key = context.recordings.looked, (job.id, job.size, job.mtime_ns)
    if not _is_wanted(context, job):
        return False
    if key in looked.over:  # kept until the job starts, which may be later: its content is compared next
        return False
    oldest = next(iter(context.work.checks.operations()), None)
    if oldest is not None and context.clock() - oldest.since > PATIENCE:
        return False
    if job.id in looked.under_way or len(looked.under_way) >= MOST:
        return True
    return _post(context, job)


def existing(context: Context, job: Job, options: Options) -> Existing | None:
    """What the worker of a job that starts now is to know of subtitles; None: they do not matter."""
    beside = context.recordings.looked.over.pop((job.id, job.size, job.mtime_ns), ())
    return Existing(_languages(options), beside) if _skips(context, job) and _is_wanted(context, job) else None


def skip(context: Context, job: Job, why: str) -> None:
    """A job whose recording needs no transcript is done without one."""
    ended = {"cause": Cause.EXISTING, "error": None, "options_key": None, "finished_at": context.utc()}
    with context.ledger.transaction():
        job = context.ledger.update(job, state=State.COMMITTING)
        job = context.ledger.update(job, state=State.DONE, warnings=(why,), plan=None, **ended)
    say(Kind.JOB_SKIPPED, f"job {job.id}: {printable(job.source)}: {printable(why)}", job, error=why)
    look_again(context, job)


def _skips(context: Context, job: Job) -> bool:
    return orders.configured(context, job).output.existing == "skip"


def _is_beside(context: Context, job: Job) -> bool:
    return orders.configured(context, job).output.place == "beside"


def _is_wanted(context: Context, job: Job) -> bool:
    """Whether the job needs a look: not if a person asked for it, or it has begun."""
    is_new = job.redo_of is None and job.overrides == Overrides() and job.location is None and not job.chunks
    return is_new and context.inbox is not None and (_skips(context, job) or _is_beside(context, job))


def _languages(options: Options) -> tuple[str, ...]:
    """The languages in which subtitles are enough; empty: the language of the recording decides."""
    if options.task == "translate":
        return ("en",)
    return (options.language,) if options.language else options.languages


def _post(context: Context, job: Job) -> bool:
    """Begin to look at a recording. False: there is nothing to look at."""
    looked = context.recordings.looked
    like = context.ledger.kept_like(job, LIKE) if _is_beside(context, job) else []
    like = [former for former in like if not whereabouts.came_from_away(context, former)]
    wanted = _languages(orders.wanted(context, job)[1]) if _skips(context, job) else None
    if not like and wanted is None:
        return False
    looked.under_way.add(job.id)

    def then(found: LibraryLook) -> None:
        looked.under_way.discard(job.id)
        row = context.ledger.find(job.id)
        if row is not None and row.state is State.QUEUED and row.identity == job.identity:
            _act(context, row, found)

    def failed(error: OSError | SttdError) -> None:
        looked.under_way.discard(job.id)
        text = f"job {job.id}: its folder in the library cannot be looked at: {printable(str(error))}"
        say(Kind.REMARK, text, job, error=str(error))
        looked.end(job, ())

    def work() -> LibraryLook:
        gone = [former for former in like if _is_gone(context, former)]
        return _look(job, gone, wanted, context.places)

    context.work.checks.post(f"looks at what is there of {printable(job.source)}", work, then, failed, job.id)
    return True


def _is_gone(context: Context, former: Job) -> bool:
    """Whether a recording has left its name, and so may have a new one. If not, the new file is a copy, or another recording."""
    is_lost = context.inbox is not None and context.inbox.is_lost(former.source)
    return context.places.is_gone(former.source) and not is_lost


def _look(job: Job, gone: list[Job], wanted: tuple[str, ...] | None, places: outbox.Places) -> LibraryLook:
    """Whether it is one of the recordings that are `gone` from their names, and what subtitles it has."""
    renamed = [former for former in gone if former.sha256 and _was_beside(former, places)]
    if renamed:
        sha256 = content_hash(job, places)
        former = next((former.id for former in renamed if sha256 and former.sha256 == sha256), None)
        if former is not None:
            return LibraryLook(sha256, former)
    if wanted is None:
        return LibraryLook()
    found = beside(job.source.rpartition("/")[2], outbox.names_beside(job, places))
    # if several languages will do, the language of the audio track decides, which its worker sees
    why = enough(found, wanted) if len(wanted) == 1 else None
    return LibraryLook(why=why, beside=tuple((each.where, each.language) for each in found))


def _was_beside(former: Job, places: outbox.Places) -> bool:
    """Whether its results were written beside it, or went with it to a new name since."""
    return not former.outputs or bool(outbox.beside(former.source, outbox.results_of([former]), places))


def _act(context: Context, row: Job, found: LibraryLook) -> None:
    if found.former is not None:
        known = {"copy_of": found.former, "sha256": found.sha256, "cause": None, "error": None}
        filing.advance(context, context.ledger.update(row, state=State.COMMITTING, plan={"step": "follow"}, **known))
    elif found.why is not None:
        skip(context, row, found.why)
    else:
        context.recordings.looked.end(row, found.beside)
