"""What follows when a step with files fails: which jobs wait for it, and what is logged."""

from __future__ import annotations

from pathlib import Path

from sttd import outbox
from sttd.daemon import library_disks
from sttd.daemon.context import Context
from sttd.daemon.troubles import ARCHIVE, TRANSCRIPTS
from sttd.errors import SttdError
from sttd.fs.blame import Blame, blame
from sttd.fs.folder import split
from sttd.host.events import Kind, say
from sttd.job import Job, State
from sttd.part import Cause
from sttd.text import printable


def in_vain(
    context: Context,
    row: Job,
    what: str,
    error: OSError | SttdError,
    source: str | None = None,
    *,
    alone: Path | None = None,
) -> None:
    """A step failed. A fault of the machine keeps every job from starting, one of a library's disk only those whose results go
    there; any other fault keeps only this job waiting.

    `alone`: the folder that the step is about, if no job needs such a step for its result: then only this job waits.
    """
    if isinstance(error, outbox.DiskTrouble):
        library_disks.begin(context, row, what, error)
        return
    if isinstance(error, outbox.FileTrouble):  # the disk does take files
        library_disks.went_well(context, row)
    wait = context.config.pool.machine_wait
    everybody = isinstance(error, outbox.Absent) or (isinstance(error, OSError) and blame(error) is Blame.MACHINE)
    shared = everybody and alone is None
    context.filing.tries.put_off(row.id, context.clock(), wait, growing=not everybody, shared=shared)
    words = printable("; ".join([str(error), *getattr(error, "__notes__", ())]))
    if shared:
        name = ARCHIVE if _is_about(str(context.config.paths.archive), error) else TRANSCRIPTS
        if context.troubles.begin(name, f"{what.removeprefix('its ')}: {words}", wait):
            text = f"job {row.id}: {printable(row.source)}: {what}: {words}; it is tried again, and no other job starts"
            say(Kind.RESULT_TROUBLE, text, row, error=str(error))
        return
    # a fault of the machine is one trouble, even if the files come from thousands of folders
    folder = str(alone if everybody else Path(source or row.source).parent)
    text = f"job {row.id}: {printable(row.source)}: {what}: {words}"
    if context.troubles.begin_for(row.id, f"{folder}: {type(error).__name__}", text):
        say(Kind.RESULT_TROUBLE, f"{text}; it is tried again, other jobs go on", row, error=str(error))


def _is_about(folder: str, error: OSError | SttdError) -> bool:
    """Whether it was met in a folder or below it."""
    names = (error.filename, error.filename2) if isinstance(error, OSError) else (getattr(error, "folder", None),)
    return any(isinstance(name, str) and (name == folder or split(folder, name) is not None) for name in names)


class Unnameable(SttdError):
    """A file system takes no name that can be made from the recording's name. None of its results is in place."""


def unnameable(context: Context, row: Job, error: Unnameable) -> None:
    """Fail a job whose results cannot be named."""
    again = f"drop it again under another name, or `{context.config.program} retry {row.id}` where the folder takes it by now"
    text = f"no name for its results is accepted: {error}: {again}"
    failed = {"cause": Cause.ERROR, "error": text, "finished_at": context.utc(), "plan": {"step": "fail"}}
    job = context.ledger.update(row, state=State.FAILED, **failed)
    context.counts.failed_now += 1
    say(Kind.JOB_FAILED, f"job {row.id}: {printable(row.source)} failed: {printable(text)}", job, error=text)


def transcribe_again(context: Context, row: Job, why: str, moved_to: str | None = None) -> None:
    """A plan that cannot be kept: the job goes on from its checkpoint, where everything is."""
    say(Kind.RESULT_TROUBLE, f"job {row.id}: {printable(why)}", row, error=why)
    again = {"plan": None, "copy_of": None, "queued_at": context.utc(), "error": why, "cause": None}
    context.ledger.update(row, state=State.QUEUED, location=moved_to or row.location, **again)
