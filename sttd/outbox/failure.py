"""A source that is given up goes to `failed/`, with the reason beside it."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from sttd.config import Config
from sttd.fs import moves
from sttd.fs.sync import fsync_folder
from sttd.job import Job
from sttd.outbox import names
from sttd.outbox.source import RECORD, archive, require_inbox


def file_failure(job: Job, config: Config, source: str) -> str | None:
    """Move the source of a failed job to `failed/` and write `<name>.error.json`; returns where it lies.

    One that lies outside the inbox (an archived one that was to be done again) stays where it is. None: it is gone.
    """
    folder = folder_of(job, config)
    if job.location and (job.redo_of is not None or os.path.dirname(job.location) != folder):
        return None  # a redo's, or one of `sttd transcribe`: not ours to move, nor to write beside
    location: str | None = source
    if not job.location:
        location = _put_aside(job, config, source, folder)
        if location is None:
            return None
    record = {
        "job": job.id,
        "source": job.source,
        "reason": str(job.cause),
        "error": job.error,
        "attempts": job.attempts,
        "retry": f"{config.program} retry {job.id}",
    }
    moves.make_folder(folder)
    base = os.path.basename(location or job.source)
    path = os.path.join(folder, names.fit(base, RECORD))
    part = part_of(job, folder)
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    moves.write_whole(part, lambda file: print(text, end="", file=file))
    _place_record(part, path, job.id)
    fsync_folder(folder)
    return location


def folder_of(job: Job, config: Config) -> str:
    return os.path.join(config.paths.failed, *names.split(job.source)[0])


def part_of(job: Job, folder: str) -> str:
    """The record of a failure while it is being written."""
    return os.path.join(folder, f".sttd-{job.id}.part")


def _put_aside(job: Job, config: Config, source: str, folder: str) -> str | None:
    """Move the source, if it is still the version that failed; a newer one stays, to be a job of its own."""
    if not os.path.lexists(source):
        before = _moved_before(job, folder)
        if before is None:
            require_inbox(str(config.paths.inbox))
        return before
    seen = os.lstat(source)
    if (seen.st_size, seen.st_mtime_ns) != (job.size, job.mtime_ns):
        return _moved_before(job, folder)
    return archive(source, folder, names.split(job.source)[1])


def _place_record(part: str, path: str, job: int) -> None:
    """Replace an earlier record of the same job; a file of anybody else stays, and the record gets a number."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        if json.loads(Path(path).read_bytes())["job"] == job:
            os.replace(part, path)
            return
    archive(part, os.path.dirname(path), os.path.basename(path))


def _moved_before(job: Job, folder: str) -> str | None:
    """Where a try that was killed has put it."""
    number = 1
    while os.path.lexists(path := os.path.join(folder, names.numbered(names.split(job.source)[1], number))):
        seen = os.stat(path)
        if (seen.st_size, seen.st_mtime_ns) == (job.size, job.mtime_ns):
            return path
        number += 1
    return None
