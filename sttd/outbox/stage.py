"""Results are written and fsynced in a hidden folder on the file system that they will appear on."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from sttd.config import Config
from sttd.errors import SourceChanged
from sttd.fs import moves
from sttd.fs.digest import digest
from sttd.fs.sync import fsync_folder
from sttd.job import Job
from sttd.outbox import names
from sttd.outbox.formats import FORMATS
from sttd.outbox.formats.record import Altered, read
from sttd.outbox.meta import Meta
from sttd.outbox.plan import Plan
from sttd.part import Segment

STAGING = ".sttd-staging"
_TICK = 2.0  # seconds: the coarsest clock of a file system, vfat's


def stage(job: Job, meta: Meta, segments: Callable[[], Iterable[Segment]], config: Config, source: str) -> Plan:
    """Write the results of a job; nothing of them is to be seen yet.

    Raises:
        SourceChanged: it is another version by now; the job is to start anew.
        OSError: they cannot be written, or the source cannot be read.
    """
    require_same(job, source)
    young = job.mtime_ns > (time.time() - _TICK) * 1e9
    sha256 = job.sha256 or digest(source)
    require_same(job, source)  # a hash of another version would give its transcript to the wrong recording
    meta = dataclasses.replace(meta, sha256=sha256)
    staging = os.path.join(staging_folder(config), staging_name(config, job.id))
    try:
        hashes = _write(staging, config.output.formats, meta, segments)
    except OSError:
        with contextlib.suppress(OSError):
            moves.remove_tree(staging)  # a disk that is full needs its room
        raise
    below = os.path.join(*names.split(job.source)[0], "")
    return Plan(
        job=job.id,
        name=job.source,
        language=meta.language,
        sha256=sha256,
        size=job.size,
        mtime_ns=job.mtime_ns,
        source=source,
        fate=fate(job, config),
        location=job.location or None,
        inbox="" if job.location else str(config.paths.inbox),
        archive=os.path.join(config.paths.archive, below),
        folder=os.path.join(config.paths.transcripts, below),
        staging=staging,
        young=young,
        hashes=hashes,
    )


def _write(
    staging: str, formats: Iterable[str], meta: Meta, segments: Callable[[], Iterable[Segment]]
) -> dict[str, str]:
    """Returns the hashes by suffix."""
    moves.remove_tree(staging)
    moves.make_folder(staging)
    hashes = {}
    for suffix in formats:
        write = FORMATS[suffix].write
        path = os.path.join(staging, suffix)
        hashes[suffix] = moves.write_whole(path, lambda file, write=write: write(file, meta, iter(segments())))  # type: ignore[misc]
    fsync_folder(staging)
    return hashes


def staging_folder(config: Config) -> str:
    return os.path.join(config.paths.transcripts, STAGING)


def staging_name(config: Config, job: int) -> str:
    """Of a job's folder in there. `sttd transcribe` into the daemon's transcripts must not meet the daemon's own."""
    owner = hashlib.sha256(os.fsencode(config.paths.state)).hexdigest()[:8]
    return f"{owner}-{job}"


def require_same(job: Job, source: str) -> None:
    """Make sure that the source is still what was transcribed. Raises SourceChanged."""
    seen = os.lstat(source)
    if (seen.st_size, seen.st_mtime_ns) != (job.size, job.mtime_ns):
        raise SourceChanged("the file has changed since it was transcribed: it starts again as it is now")


def fate(job: Job, config: Config) -> str:
    """What becomes of the source: one that was fetched from elsewhere than inbox or failed/ stays where it is."""
    if job.redo_of is not None:
        return "keep"
    if job.location is not None and not Path(job.location).is_relative_to(config.paths.failed):
        return "keep"
    return config.output.source


def stage_copy(job: Job, original: Job, config: Config, source: str) -> Plan | None:
    """The results of a finished job with the same content, under this job's name; None where they are gone."""
    path = next((path for path in original.outputs if path.endswith(".json")), None)
    if path is None or original.fallback_reason or not all(map(os.path.lexists, original.outputs)):
        return None
    with contextlib.suppress(FileNotFoundError, Altered), Path(path).open("rb") as file:
        meta, _ = read(file)
        if meta.sha256 == job.sha256:
            # read again for each format: a long recording's segments are never all in memory
            return stage(job, meta.for_copy(job), lambda: read(file)[1], config, source)
    return None
