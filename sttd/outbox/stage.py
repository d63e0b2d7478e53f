"""Stages results: writes and fsyncs them in a hidden folder below the transcripts."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TextIO

from sttd import replacements
from sttd.config import Config
from sttd.errors import SourceChanged
from sttd.fs import moves
from sttd.fs.blame import Blame, blame
from sttd.fs.digest import digest_of
from sttd.fs.folder import Folder, split
from sttd.fs.regular import NotRegular, open_regular
from sttd.job import Identity, Job
from sttd.outbox.disks import near
from sttd.outbox.formats import CueFormat, Format, formats, write_together
from sttd.outbox.formats.record import Altered, read
from sttd.outbox.former import unchanged
from sttd.outbox.meta import Meta
from sttd.outbox.places import Places
from sttd.outbox.plan import BESIDE, TRANSCRIPTS, Plan, open_source
from sttd.outbox.publish import STAGING, existing_folder, free_number
from sttd.outbox.speakers import names_of
from sttd.part import Segment
from sttd.replacements import Replacements

# takes the SHA-256 of a recording, and returns paths and hashes of earlier results of a recording with the same content
Earlier = Callable[[str], Mapping[str, str]]
_TICK = 2.0  # seconds: the coarsest clock of a file system, vfat's


def _nothing_earlier(_: str) -> Mapping[str, str]:
    return {}


def stage(
    job: Job,
    meta: Meta,
    segments: Callable[[], Iterable[Segment]],
    config: Config,
    places: Places,
    *,
    earlier: Earlier = _nothing_earlier,
) -> Plan:
    """Write the results of a job, hidden for now. The plan replaces `earlier` results of the same recording.

    Raises:
        SourceChanged: the source is another version by now; the job must start anew.
        FileNotFoundError: the source is gone; the error has its path.
        Absent: transcripts/ is not mounted.
        BadReplacements: the list that `transcribe.replace` names cannot be used.
        DiskTrouble, FileTrouble, OSError: the results cannot be written, or the source cannot be read.
    """
    written = writer(config)
    young = job.mtime_ns > (time.time() - _TICK) * 1e9  # before the source is looked at
    sha256 = _look_at_source(job, places, place := place_of(job, config, places))
    meta = dataclasses.replace(meta, sha256=sha256, speakers=names_of(meta.channels, config.transcribe.channel_names))
    as_wanted = lambda: (written(segment, meta.channels) for segment in segments())  # noqa: E731
    plan = Plan(
        job=job.id,
        name=job.source,
        language=meta.language,
        sha256=sha256,
        size=job.size,
        mtime_ns=job.mtime_ns,
        fate=fate(job, config),
        location=job.location or None,
        staging=staging_name(config, job.id),
        number=1,
        word=secrets.token_hex(8),
        young=young,
        hashes=_write_all(job, config, places, meta, as_wanted),
        place=place,
    )
    return _named(plan, places, earlier(sha256))


def _write_all(
    job: Job, config: Config, places: Places, meta: Meta, segments: Callable[[], Iterable[Segment]]
) -> dict[str, str]:
    name = staging_name(config, job.id)
    with places.open("transcripts") as transcripts, transcripts.make(STAGING) as staging:
        try:
            return _write(staging, name, config, meta, segments)
        except OSError:
            with contextlib.suppress(OSError):
                staging.remove_tree(name)  # a disk that is full needs its room
            raise


def writer(config: Config) -> Callable[[Segment, Collection[int]], Segment]:
    """A function that turns a segment as heard into one as it is written: with replacements, and the speaker's name.

    Its arguments are the segment and all separate channels of the recording: their names depend on how many there are. The
    list of replacements is read at once, not by that function.

    Raises:
        BadReplacements: the list that `transcribe.replace` names cannot be used.
    """
    path = config.transcribe.replace
    listed = Replacements(()) if path == Path() else replacements.read(path)

    def written(segment: Segment, channels: Collection[int]) -> Segment:
        heard = segment.heard or segment.text
        text = listed.apply(heard)
        speaker = names_of(channels, config.transcribe.channel_names).get(segment.channel, "")
        return dataclasses.replace(segment, text=text, heard=heard if text != heard else "", speaker=speaker)

    return written


def _look_at_source(job: Job, places: Places, place: str) -> str:
    """The hash of the source. Raises SourceChanged if it is not the version that was transcribed."""
    with near(place, job.source, job.location, places), open(open_source(job, places), "rb") as file:
        _require_same(job, file.fileno())
        sha256 = job.sha256 or digest_of(file.fileno())
        _require_same(job, file.fileno())  # a hash of another version would give its transcript to the wrong recording
    return sha256


def _require_same(job: Job, handle: int) -> None:
    if Identity.of(os.fstat(handle)) != job.identity:
        raise SourceChanged("the file has changed since it was transcribed: it starts again as it is now")


def _write(
    staging: Folder, name: str, config: Config, meta: Meta, segments: Callable[[], Iterable[Segment]]
) -> dict[str, str]:
    """Write all formats into the job's folder `name`; returns their hashes by suffix."""
    staging.remove_tree(name)
    every = formats(config.subtitles)
    wanted = [every[suffix] for suffix in config.output.formats]
    subtitles = [one for one in wanted if isinstance(one, CueFormat)]

    def together(files: Mapping[str, TextIO]) -> None:
        write_together({one: files[one.suffix] for one in subtitles}, meta, iter(segments()))

    with staging.make(name) as folder:
        hashes = {one.suffix: _write_one(folder, one, meta, segments) for one in wanted if one not in subtitles}
        if subtitles:
            hashes |= moves.write_together(folder, [one.suffix for one in subtitles], together)
        folder.sync()
    return {one.suffix: hashes[one.suffix] for one in wanted}


def _write_one(folder: Folder, one: Format, meta: Meta, segments: Callable[[], Iterable[Segment]]) -> str:
    return moves.write_whole(folder, one.suffix, lambda file: one.write(file, meta, iter(segments())))


def _named(plan: Plan, places: Places, earlier: Mapping[str, str]) -> Plan:
    """The plan with the results that it replaces, and a number for its names. `publish` checks the number again."""
    try:
        with near(plan.place, plan.name, plan.location, places), existing_folder(plan, places) as folder:
            here = {os.path.split(path): sha256 for path, sha256 in earlier.items()}
            replaces = {
                name: sha256
                for (above, name), sha256 in here.items()
                if above == folder.path and name.rpartition(".")[2] in plan.hashes and unchanged(folder, name, sha256)
            }
            plan = dataclasses.replace(plan, replaces=replaces)
            return dataclasses.replace(plan, number=free_number(folder, plan, plan.result_name))
    except FileNotFoundError:
        return plan
    except OSError as error:
        if blame(error) is Blame.NAME:
            return plan
        raise


def staging_name(config: Config, job: int) -> str:
    """The name of a job's staging folder. If `sttd transcribe` writes to the daemon's transcripts, the two must not collide."""
    owner = hashlib.sha256(os.fsencode(config.paths.state)).hexdigest()[:8]
    return f"{owner}-{job}"


def fate(job: Job, config: Config) -> str:
    """What becomes of the source. One that lies neither in an inbox nor in failed/ stays where it is."""
    if job.redo_of is not None or config.output.place == BESIDE:
        return "keep"
    if job.location is not None and not Path(job.location).is_relative_to(config.paths.failed):
        return "keep"
    return config.output.source


def place_of(job: Job, config: Config, places: Places) -> str:
    """Where the results of a job appear: as `output.place` says, but never beside a source outside the inboxes."""
    inboxes = map(os.fspath, places.inboxes())
    is_in_inbox = job.location is None or any(split(inbox, job.location) is not None for inbox in inboxes)
    return BESIDE if config.output.place == BESIDE and is_in_inbox else TRANSCRIPTS


def stage_copy(
    job: Job, original: Job, config: Config, places: Places, *, earlier: Earlier = _nothing_earlier
) -> Plan | None:
    """Stage the results of `original`, a finished job with the same content, for this job; None: they cannot be used."""
    path = next((path for path in original.outputs if path.endswith(".json")), None)
    if path is None or original.fallback_reason or not all(map(os.path.lexists, original.outputs)):
        return None
    with contextlib.suppress(FileNotFoundError, NotRegular, Altered), os.fdopen(open_regular(path), "rb") as file:
        meta, _ = read(file)
        if meta.sha256 == job.sha256:
            # read again for each format: a long recording's segments are never all in memory
            return stage(job, meta.for_copy(job), lambda: read(file)[1], config, places, earlier=earlier)
    return None
