"""The results of a job to take home: those that the daemon wrote, and every other format, made of the JSON."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import weakref
from collections.abc import Callable, Collection, Iterator
from typing import BinaryIO, NoReturn
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sttd.config import Config
from sttd.config.hearing import FORMATS
from sttd.configfile import folder_options
from sttd.job import Job, State
from sttd.outbox.formats import Format, formats, record
from sttd.outbox.meta import Meta
from sttd.part import Segment
from sttd.text import printable
from sttd.web import files, transcript
from sttd.web.latest import Latest
from sttd.web.ranges import OpenFile

MEDIA = {
    "txt": "text/plain", "md": "text/markdown", "srt": "application/x-subrip", "vtt": "text/vtt", "lrc": "text/plain",
    "json": "application/json", "tsv": "text/tab-separated-values",
}  # fmt: skip
_RECORD = "json"
_PIECE = 300  # segments that are in memory at once
_KEPT, _KEPT_BYTES = 16, 32 * 2**20  # of files that were made

Read = Callable[[BinaryIO], tuple[Meta, Iterator[Segment]]]  # raises record.Altered


def available(job: Job) -> list[str]:
    """The formats that `response` gives."""
    written = {path.rpartition(".")[2] for path in job.outputs}
    return [each for each in FORMATS if each in written or _RECORD in written]


def are_there(job: Job, config: Config) -> bool:
    """Whether every result that was written can be found."""
    try:
        for path in job.outputs:
            with contextlib.suppress(files.Unreadable):  # it is there, and will be read again
                os.close(files.open_result(job, path.rpartition(".")[2], config)[0])
    except files.Missing:
        return False
    return True


def response(job: Job, wanted: str, config: Config, request: Request, read: Read = record.read) -> Response:
    """The result of a job in a format. Blocks.

    Args:
        job: it may have no results.
        wanted: the format.
        config: the whole configuration.
        request: which this answers. It may ask for a range.
        read: how to take the JSON where a format is made of it: `record.read`, or `corrected` of this module.

    Raises:
        HTTPException: 404, there is none; 409, somebody has changed the JSON; 503, it cannot be read now.
    """
    if wanted not in FORMATS:
        raise HTTPException(404, f"'{printable(wanted)}' is no format: there are {', '.join(FORMATS)}")
    try:
        handle, name = files.open_result(job, wanted, config)
    except files.Unreadable as error:
        _later(error)
    except files.Missing:
        handle, name = _made(job, wanted, config, read)
    headers = {"Content-Type": f"{MEDIA[wanted]}; charset=utf-8", "Content-Disposition": attachment(name)}
    return OpenFile(handle, request, headers)


@contextlib.contextmanager
def opened(job: Job, config: Config, read: Read = record.read) -> Iterator[tuple[str, Meta, Iterator[Segment]]]:
    """The JSON of a job: its name, and what it says. The segments are read as they are asked for. Blocks.

    Raises:
        HTTPException: see `response`.
    """
    with _json(job, config) as (name, file):
        yield name, *_read(job, read, file)


@contextlib.contextmanager
def _json(job: Job, config: Config) -> Iterator[tuple[str, BinaryIO]]:
    try:
        handle, name = files.open_result(job, _RECORD, config)
    except files.Unreadable as error:
        _later(error)
    except files.Missing:
        raise HTTPException(404, _why_missing(job)) from None
    with os.fdopen(handle, "rb") as file:
        yield name, file


def _read(job: Job, read: Read, file: BinaryIO) -> tuple[Meta, Iterator[Segment]]:
    try:
        return read(file)
    except record.Altered as error:
        raise HTTPException(409, f"job {job.id}: {error}, so that no other format can be made of it") from None


def corrected(file: BinaryIO) -> tuple[Meta, Iterator[Segment]]:
    """What a JSON says that a person may have changed."""
    try:
        found = transcript.LATEST.read(file)
        meta = Meta.from_head(found.head)
    except (transcript.NotATranscript, KeyError, TypeError, ValueError, AttributeError):
        raise record.Altered("the JSON was changed by hand, and is no transcript any more") from None
    pieces = (found.segments(file.fileno(), first, _PIECE) for first in range(0, len(found), _PIECE))
    return meta, (segment for piece in pieces for segment in piece)


def attachment(name: str) -> str:
    """`Content-Disposition` for a name in any script (RFC 6266); undecodable bytes in it are told apart."""
    harmless = printable(name)
    plain = "".join(char if char.isascii() and char.isprintable() and char not in '"\\%' else "_" for char in harmless)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(harmless, safe='')}"


class _Made:
    """A file without a name that was made of a JSON. It is closed with its last user."""

    def __init__(self, file: BinaryIO) -> None:
        self.handle, self.size = os.dup(file.fileno()), os.fstat(file.fileno()).st_size
        weakref.finalize(self, os.close, self.handle)


def _are_many(made: Collection[_Made]) -> bool:
    return len(made) > _KEPT or sum(each.size for each in made) > _KEPT_BYTES


# a download that broke off asks for its rest, and a player for ranges: subtitles of ten hours take seconds to lay out
_LATEST: Latest[_Made] = Latest(_are_many)


def _made(job: Job, wanted: str, config: Config, read: Read) -> tuple[int, str]:
    """A format that the daemon did not write, as an unnamed file; and its name."""
    limits = folder_options.overlaid(config.of(job.source), job.folder_options.values).subtitles
    with _json(job, config) as (name, file):
        key = (transcript.identity(file), wanted, limits, read)
        made = _LATEST.get(key, lambda: _make(formats(limits)[wanted], *_read(job, read, file)))
        return os.dup(made.handle), f"{name.removesuffix(_RECORD)}{wanted}"


def _make(form: Format, meta: Meta, segments: Iterator[Segment]) -> _Made:
    with tempfile.TemporaryFile() as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="\n")
        form.write(text, meta, segments)
        text.detach()  # which flushes it
        file.flush()
        return _Made(file)


def _why_missing(job: Job) -> str:
    written = [path.rpartition(".")[2] for path in job.outputs]
    if _RECORD in written:
        return f"the results of job {job.id} are not there any more: somebody moved or removed them"
    if not written:
        subtitled = ", because the recording had subtitles already" if job.state is State.DONE else ""
        return f"job {job.id} has no results{subtitled}"
    return f"job {job.id} has no JSON, of which other formats are made: it has {', '.join(written)}"


def _later(error: files.Unreadable) -> NoReturn:
    raise HTTPException(503, f"{printable(error.path)} cannot be read: {error.why}", {"Retry-After": "60"}) from None
