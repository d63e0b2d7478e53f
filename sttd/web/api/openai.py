"""`/v1/audio`: the same requests and answers as OpenAI's, for its clients and the many programs built on them.

https://platform.openai.com/docs/api-reference/audio. Any `model` is accepted: the configured one is used, and named in the
answer. What has no counterpart here is passed over, and named in the header `X-Sttd-Ignored`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sttd.job import Job
from sttd.languages import english_name
from sttd.text import printable
from sttd.web import results
from sttd.web.api import names, said
from sttd.web.api.asked import Asked, language
from sttd.web.api.form import Form, Reader, length
from sttd.web.api.intake import put_once
from sttd.web.api.ticket import Ticket
from sttd.web.api.upload import Upload, begin, in_words
from sttd.web.api.waiting import finished
from sttd.web.site import Site

_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
_GRANULARITIES = "timestamp_granularities[]"
_USED = {"model", "language", "prompt", "response_format", "stream", _GRANULARITIES, "timestamp_granularities"}
_FORM_ROOM = 64 * 1024  # bytes of a request that are not the file


@dataclass(frozen=True, slots=True)
class _Wanted:
    asked: Asked
    format: str
    granularities: frozenset[str]
    ignored: str

    @classmethod
    def of(cls, form: Form, *, translate: bool) -> _Wanted:
        """Raises HTTPException (400) where the form asks for what is not possible."""
        wanted = form.last("response_format") or "json"
        if wanted not in _FORMATS:
            known = ", ".join(_FORMATS)
            raise HTTPException(400, f"response_format '{printable(wanted[:80])}' is not known: there are {known}")
        if form.last("stream").lower() in ("true", "1"):
            raise HTTPException(400, "stream is not possible: the transcript comes as a whole")
        found = {*form.fields.get(_GRANULARITIES, ()), *form.fields.get("timestamp_granularities", ())}
        if not found <= {"segment", "word"}:
            raise HTTPException(400, "timestamp_granularities are segment and word")
        words = "word" in found and wanted == "verbose_json"
        asked = Asked(language(form.last("language")), translate, words, form.last("prompt").strip())
        asked.require_good()
        ignored = sorted(name for name in form.fields if name not in _USED and form.last(name) not in ("", "0", "0.0"))
        return cls(asked, wanted, frozenset(found or {"segment"}), ", ".join(map(ascii, ignored)))


def routes(site: Site) -> list[BaseRoute]:
    async def transcriptions(request: Request) -> Response:
        return await _answer(site, request, translate=False)

    async def translations(request: Request) -> Response:
        return await _answer(site, request, translate=True)

    return [
        Route("/v1/audio/transcriptions", transcriptions, methods=["POST"]),
        Route("/v1/audio/translations", translations, methods=["POST"]),
    ]


async def _answer(site: Site, request: Request, *, translate: bool) -> Response:
    ticket, wanted = await _submit(site, request, translate=translate)
    job = await finished(site, request, ticket)
    if job is None:
        return Response(status_code=499)  # the client has gone, and the job goes on
    answer = await run_in_threadpool(_response, site, request, job, wanted)
    answer.headers["X-Sttd-Ticket"] = str(ticket)
    if wanted.ignored:
        answer.headers["X-Sttd-Ignored"] = wanted.ignored
    return answer


async def _submit(site: Site, request: Request, *, translate: bool) -> tuple[Ticket, _Wanted]:
    uploads: list[tuple[str, Upload]] = []
    with contextlib.ExitStack() as stack, in_words():

        def begun(given: str) -> Callable[[bytes], None]:
            name = names.require(given.replace("\\", "/").rpartition("/")[2], site.config.watch.suffixes)
            whole = length(request)
            expected = None if whole is None else max(0, whole - _FORM_ROOM)
            inbox, limit = site.config.paths.inbox, site.config.web.max_upload
            upload = begin(inbox, limit, f".{name.rpartition('.')[2]}", expected, stack)
            uploads.append((name, upload))
            return upload.write

        wanted = _Wanted.of(await Reader(request, "file", begun).read(), translate=translate)
        name, upload = uploads[0]
        return await run_in_threadpool(put_once, site, upload, name, wanted.asked), wanted


def _response(site: Site, request: Request, job: Job, wanted: _Wanted) -> Response:
    match wanted.format:
        case "srt" | "vtt":
            return results.response(job, wanted.format, site.config, request)
        case "text":
            return PlainTextResponse(f"{said.transcript(job, site.config).text}\n")
        case "json":
            return JSONResponse({"text": said.transcript(job, site.config).text})
        case _:
            return JSONResponse(_verbose(site, job, wanted))


def _verbose(site: Site, job: Job, wanted: _Wanted) -> dict[str, Any]:
    """What OpenAI's `verbose_json` has, and behind it what this service knows of the result."""
    found = said.transcript(job, site.config)
    answer: dict[str, Any] = {
        "task": "translate" if wanted.asked.translate else "transcribe",
        "language": english_name(found.meta.language).lower(),
        "duration": found.meta.duration,
        "text": found.text,
    }
    if "segment" in wanted.granularities:
        answer["segments"] = [said.segment(number, each) for number, each in enumerate(found.segments)]
    if wanted.asked.words:
        answer["words"] = [each for segment in found.segments for each in said.words(segment)]
    about = ("model", "requested_model", "fallback_reason", "warnings")
    return answer | {name: getattr(job, name) for name in about}
