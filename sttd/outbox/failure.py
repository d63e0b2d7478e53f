"""A source that is given up goes to `failed/`, with the reason beside it."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass

from sttd.config import Config
from sttd.fs import moves
from sttd.fs.blame import Unreadable
from sttd.fs.folder import Folder, split
from sttd.job import Identity, Job
from sttd.outbox import names
from sttd.outbox.place import find, folder_below, place
from sttd.outbox.places import Places
from sttd.outbox.plan import BESIDE, folder_of
from sttd.outbox.rights import why_unmovable
from sttd.own import OWN


@dataclass(frozen=True, slots=True)
class PutAside:
    location: str | None  # where the source is now; None: it stays where it is, "": it is gone
    kept_because: str | None = None  # why it stays though it was to be moved, with the remedy


def file_failure(job: Job, config: Config, places: Places) -> PutAside:
    """Move the source of a failed job to `failed/` and write `<name>.error.json` there.

    One that lies outside the inbox (an archived one that was to be done again) stays where it is, and so does every one
    with `output.place = "beside"`: then the record alone is there.

    Raises:
        Absent: `failed/` is not mounted.
        OSError: `sttd.fs.blame` tells whose fault it is.
    """
    if job.location:
        ours = job.redo_of is None and split(os.fspath(places.paths.failed), job.location) is not None
        if ours:  # tried again, and failed again
            with folder_of(job.source, job.location, places) as folder:
                _write_record(job, config, folder, os.path.basename(job.location))
        return PutAside(
            job.location
        )  # else a redo's, or one of `sttd transcribe`: not ours to move, nor to write beside
    folders, base = names.split(job.source)
    with places.open("failed") as failed, folder_below(failed, folders) as folder:
        is_library = config.output.place == BESIDE
        put = PutAside(None) if is_library else _put_aside(job, places, folder, base)
        if put.location != "":
            _write_record(job, config, folder, os.path.basename(put.location or job.source))
        return put


def _write_record(job: Job, config: Config, folder: Folder, base: str) -> None:
    record = {
        "job": job.id,
        "source": job.source,
        "reason": str(job.cause),
        "error": job.error,
        "attempts": job.attempts,
        "retry": f"{config.program} retry {job.id}",
    }
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    temporary = temporary_of(job)
    moves.write_whole(folder, temporary, lambda file: print(text, end="", file=file))
    name = names.fit(base, names.RECORD)
    if _is_ours(folder, name, job.id):
        folder.rename(temporary, folder, name)
        folder.sync()
    else:
        place(folder, temporary, folder, name)  # a file of anybody else stays, and the record gets a number


def remove_record(job: Job, places: Places) -> None:
    """Remove the record of a failure whose source never left the inbox: the job has ended well since."""
    folders, base = names.split(job.source)
    name = names.fit(base, names.RECORD)
    with contextlib.suppress(FileNotFoundError), places.open("failed") as failed, failed.below(folders) as folder:
        if _is_ours(folder, name, job.id):
            folder.unlink(name)


def temporary_of(job: Job) -> str:
    """The record of a failure while it is being written."""
    return f"{OWN}-{job.id}.part"


def _is_ours(folder: Folder, name: str, job: int) -> bool:
    """Whether an earlier record of the same job has the name."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(folder.open_file(name), "rb") as file:
        return bool(json.load(file)["job"] == job)
    return False


def _put_aside(job: Job, places: Places, target: Folder, base: str) -> PutAside:
    """Move the source, if it is still the version that failed; a newer one stays, to be a job of its own."""
    name = os.path.basename(job.source)
    with contextlib.suppress(FileNotFoundError), folder_of(job.source, None, places) as folder:
        seen = folder.file(name)
        if seen is not None and Identity.of(seen) == job.identity:
            with contextlib.suppress(PermissionError):  # unreadable; it may have failed for that
                moves.secure(folder, name, moves.RESULT_MODE)
            try:
                new = place(folder, name, target, base, again=True, mode=moves.RESULT_MODE)
                return PutAside(target.path_of(new))
            except Unreadable as error:
                return PutAside(None, error.strerror)
            except PermissionError:
                reason = why_unmovable(folder, name)
                if reason is None:
                    raise
                return PutAside(None, reason)
        if seen is not None:
            return PutAside(_moved_before(job, target, base))
    before = _moved_before(job, target, base)
    if not before:
        places.require_inbox(job.source)
    return PutAside(before)


def _moved_before(job: Job, target: Folder, base: str) -> str:
    """Where a try that was killed has put it; "": nowhere."""
    found = next(find(target, base, job.size, job.mtime_ns), None)
    return "" if found is None else target.path_of(found)
