"""The results of a job: those that the daemon wrote, and others that are made of its JSON."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from sttd.config.hearing import FORMATS
from sttd.fs.regular import open_regular
from sttd.job import Job
from sttd.outbox.formats import formats
from sttd.outbox.formats.record import Altered, read
from sttd.outbox.meta import Meta
from sttd.part import Segment
from sttd.text import printable
from sttd.web.site import Site

_PIECE = 256 * 1024  # bytes
_RECORD = "json"
MEDIA = {
    "txt": "text/plain", "md": "text/markdown", "srt": "application/x-subrip", "vtt": "text/vtt", "lrc": "text/plain",
    "json": "application/json", "tsv": "text/tab-separated-values",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """An open file with a whole result, and its name."""

    file: BinaryIO
    name: str
    format: str

    def response(self, **headers: str) -> Response:
        """It is sent piece by piece, and closed at the end."""
        size = os.fstat(self.file.fileno()).st_size
        headers = {"Content-Length": str(size)} | {name.replace("_", "-"): value for name, value in headers.items()}
        return StreamingResponse(_pieces(self.file), media_type=f"{MEDIA[self.format]}; charset=utf-8", headers=headers)

    @property
    def disposition(self) -> str:
        """For `Content-Disposition` (RFC 6266)."""
        return f"inline; filename*=UTF-8''{quote(os.fsencode(self.name))}"


def available(job: Job) -> list[str]:
    """The formats that `result` gives."""
    written = _written(job)
    return [each for each in FORMATS if each in written or _RECORD in written]


def are_there(job: Job) -> bool:
    """Whether the results of a job lie where they were put."""
    return all(os.path.lexists(path) for path in job.outputs)


def result(site: Site, job: Job, wanted: str) -> Result:
    """The result of a finished job in a format. Blocks.

    Raises:
        HTTPException: 404, there is no such result.
    """
    path = _written(job).get(wanted)
    if path is not None:
        with contextlib.suppress(FileNotFoundError):
            return Result(_opened(path), _name(path), wanted)
    if wanted not in FORMATS:
        raise HTTPException(404, f"'{printable(wanted)}' is no format: there are {', '.join(FORMATS)}")
    file = _made(site, job, wanted)
    return Result(file, f"{_name(_written(job)[_RECORD]).removesuffix(_RECORD)}{wanted}", wanted)


def _made(site: Site, job: Job, wanted: str) -> BinaryIO:
    """A format that the daemon did not write, as an unnamed file."""
    meta, segments = record(job)
    file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - it is closed once it was sent
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="\n")
    formats(site.config.subtitles)[wanted].write(text, meta, segments)
    text.flush()
    text.detach()
    file.seek(0)
    return file


def record(job: Job) -> tuple[Meta, Iterator[Segment]]:
    """What the JSON of a finished job says. The segments are read as they are asked for. Blocks.

    Raises:
        HTTPException: 404, there is none; 409, somebody has changed it.
    """
    path = _written(job).get(_RECORD)
    if path is None:
        raise HTTPException(404, f"job {job.id} has no JSON, of which other formats are made: it has {_listed(job)}")
    try:
        file = _opened(path)
    except FileNotFoundError:
        raise HTTPException(
            404, f"the results of job {job.id} are not there any more: somebody moved or removed them"
        ) from None
    try:
        return read(file)
    except Altered as error:
        file.close()
        raise HTTPException(409, f"job {job.id}: {error}, so that no other format can be made of it") from None


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _written(job: Job) -> dict[str, str]:
    return {path.rpartition(".")[2]: path for path in job.outputs}


def _listed(job: Job) -> str:
    return ", ".join(_written(job)) or "none, because the recording had subtitles already"


def _opened(path: str) -> BinaryIO:
    """Raises HTTPException where it may not be read, or is no file."""
    try:
        return os.fdopen(open_regular(path), "rb")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise HTTPException(503, f"{path} cannot be read: {error.strerror}", {"Retry-After": "60"}) from None


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
