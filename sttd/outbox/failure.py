"""Moves the source of a failed job to `failed/`, with the reason beside it."""

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
    location: str | None  # where the source is now; None: where it was, "": it is gone
    kept_because: str | None = None  # why it could not be moved, with the remedy


def file_failure(job: Job, config: Config, places: Places) -> PutAside:
    """Move the source of a failed job to `failed/` and write `<name>.error.json` there.

    A source outside the inbox (an archived one that was to be done again) stays where it is. With `output.place = "beside"`
    every source stays, and only the record is written to `failed/`.

    Raises:
        Absent: `failed/` is not mounted.
        OSError: `sttd.fs.blame` decides whose fault it is.
    """
    if job.location:
        ours = job.redo_of is None and split(os.fspath(places.paths.failed), job.location) is not None
        if ours:  # the source is in failed/ already: a retry has failed
            with folder_of(job.source, job.location, places) as folder:
                _write_record(job, config, folder, os.path.basename(job.location))
        return PutAside(
            job.location
        )  # if not ours, it is the source of a redo or of `sttd transcribe`: nothing is moved, and nothing written beside it
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
        place(folder, temporary, folder, name)  # another file has the name and stays: the record gets a number


def remove_record(job: Job, places: Places) -> None:
    """Remove the record of a failure when a retry has succeeded; for a source that never left the inbox."""
    folders, base = names.split(job.source)
    name = names.fit(base, names.RECORD)
    with contextlib.suppress(FileNotFoundError), places.open("failed") as failed, failed.below(folders) as folder:
        if _is_ours(folder, name, job.id):
            folder.unlink(name)


def temporary_of(job: Job) -> str:
    """The name of a failure's record while it is being written."""
    return f"{OWN}-{job.id}.part"


def _is_ours(folder: Folder, name: str, job: int) -> bool:
    """Whether the file of this name is an earlier record of the same job."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(folder.open_file(name), "rb") as file:
        return bool(json.load(file)["job"] == job)
    return False


def _put_aside(job: Job, places: Places, target: Folder, base: str) -> PutAside:
    """Move the source, if it is still the version that failed. A newer version stays: it becomes a job of its own."""
    name = os.path.basename(job.source)
    with contextlib.suppress(FileNotFoundError), folder_of(job.source, None, places) as folder:
        seen = folder.file(name)
        if seen is not None and Identity.of(seen) == job.identity:
            with contextlib.suppress(PermissionError):  # not readable, which may be why the job failed
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
    """Where an earlier try, which was killed, has put the source; "": nowhere."""
    found = next(find(target, base, job.size, job.mtime_ns), None)
    return "" if found is None else target.path_of(found)
