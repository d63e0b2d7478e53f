"""Results to take home: those that were written, and every other format, made of the JSON."""

from __future__ import annotations

import io
import os
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sttd.config import Config
from sttd.job import Job
from sttd.outbox.formats import formats
from sttd.outbox.meta import Meta
from sttd.text import printable
from sttd.web.pages import files, transcript
from sttd.web.pages.ranges import OpenFile

_KINDS = {"json": "application/json", "tsv": "text/tab-separated-values", "vtt": "text/vtt", "md": "text/markdown"}


def result(job: Job, suffix: str, config: Config, request: Request) -> Response:
    """The result of a job in a format.

    Raises:
        HTTPException: there is no such result.
    """
    kind = f"{_KINDS.get(suffix, 'text/plain')}; charset=utf-8"
    try:
        handle, name = files.open_result(job, suffix, config)
    except files.Missing:
        name, text = _made(job, suffix, config)
        return Response(text, headers={"Content-Type": kind, "Content-Disposition": attachment(name)})
    return OpenFile(handle, request, {"Content-Type": kind, "Content-Disposition": attachment(name)})


def _made(job: Job, suffix: str, config: Config) -> tuple[str, bytes]:
    """Name and content of a result that was not written."""
    form = formats(config.of(job.source).subtitles).get(suffix)
    if form is None:
        raise HTTPException(404, "there is no such format")
    try:
        handle, name = files.open_result(job, "json", config)
    except files.Missing as error:
        raise HTTPException(404, f"there is no such result, and none can be made: {printable(str(error))}") from None
    with os.fdopen(handle, "rb") as file:
        try:
            found = transcript.read(file)
            meta = Meta.from_head(found.head)
        except (transcript.Unreadable, KeyError, TypeError, ValueError, AttributeError):
            raise HTTPException(404, "no other format can be made: the JSON result was changed by hand") from None
        text = io.StringIO()
        form.write(text, meta, found.segments(file.fileno(), 0, len(found)))
    return f"{name.removesuffix('.json')}.{suffix}", text.getvalue().encode("utf-8", "replace")


def attachment(name: str) -> str:
    """`Content-Disposition` for a name in any script (RFC 6266); undecodable bytes in it are told apart."""
    harmless = printable(name)
    plain = "".join(char if char.isascii() and char.isprintable() and char not in '"\\%' else "_" for char in harmless)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(harmless, safe='')}"
