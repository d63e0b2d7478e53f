"""A source that is given up goes to `failed/`, with the reason beside it."""

from __future__ import annotations

import json
import os

from sttd.config import Config
from sttd.job import Job
from sttd.outbox import files, names
from sttd.outbox.commit import archive


def file_failure(job: Job, config: Config, source: str) -> str | None:
    """Move the source of a failed job to `failed/` and write `<name>.error.json`; returns where it lies.

    One that lies outside the inbox (an archived one that was to be done again) stays where it is. None: it is gone.
    """
    folder = os.path.join(config.paths.failed, *names.split(job.source)[0])
    location: str | None = source
    if job.location is None:
        location = archive(source, folder, job.source) if os.path.lexists(source) else _moved_before(job, folder)
    record = {
        "job": job.id,
        "source": job.source,
        "reason": str(job.cause),
        "error": job.error,
        "attempts": job.attempts,
        "retry": f"sttd retry {job.id}",
    }
    files.make_folder(folder)
    base = os.path.basename(location or job.source)
    path = os.path.join(folder, names.fit(base, ".error.json"))
    part = os.path.join(folder, f".sttd-{job.id}.part")
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    files.write_whole(part, lambda file: print(text, end="", file=file))
    os.replace(part, path)  # the record of the same job's earlier failure
    files.fsync_folder(folder)
    return location


def _moved_before(job: Job, folder: str) -> str | None:
    """Where a try that was killed has put it."""
    number = 1
    while os.path.lexists(path := os.path.join(folder, names.numbered(names.split(job.source)[1], number))):
        seen = os.stat(path)
        if (seen.st_size, seen.st_mtime_ns) == (job.size, job.mtime_ns):
            return path
        number += 1
    return None
