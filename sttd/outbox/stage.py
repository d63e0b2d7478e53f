"""Results are written and fsynced in a hidden folder on the file system that they will appear on."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from sttd.config import Config
from sttd.job import Job
from sttd.outbox import files, names
from sttd.outbox.formats import FORMATS
from sttd.outbox.formats.record import Altered, read
from sttd.outbox.meta import Meta
from sttd.outbox.plan import Plan
from sttd.part import Segment

STAGING = ".sttd-staging"


def stage(job: Job, meta: Meta, segments: Callable[[], Iterable[Segment]], config: Config, source: str) -> Plan:
    """Write the results of a job; nothing of them is to be seen yet.

    Raises:
        OSError: they cannot be written, or the source cannot be read.
    """
    digest = job.sha256 or files.content_hash(source)
    meta = dataclasses.replace(meta, sha256=digest)
    transcripts = str(config.paths.transcripts)
    staging = os.path.join(transcripts, STAGING, str(job.id))
    files.remove_tree(staging)
    files.make_folder(staging)
    hashes = {}
    for suffix in config.output.formats:
        write = FORMATS[suffix].write
        path = os.path.join(staging, suffix)
        hashes[suffix] = files.write_whole(path, lambda file, write=write: write(file, meta, iter(segments())))  # type: ignore[misc]
    files.fsync_folder(staging)
    below = os.path.join(*names.split(job.source)[0], "")
    return Plan(
        job=job.id,
        name=job.source,
        language=meta.language,
        sha256=digest,
        size=job.size,
        mtime_ns=job.mtime_ns,
        source=source,
        fate=fate(job, config),
        archive=os.path.join(config.paths.archive, below),
        folder=os.path.join(transcripts, below),
        staging=staging,
        hashes=hashes,
    )


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
    if path is None:
        return None
    try:
        with Path(path).open("rb") as file:
            meta, segments = read(file)
            kept = list(segments)
    except (OSError, Altered, KeyError, TypeError, ValueError):
        return None
    if meta.sha256 != job.sha256:
        return None
    return stage(job, meta.for_copy(job), lambda: kept, config, source)
