"""`/asr` and `/detect-language` of whisper-asr-webservice, which Bazarr and others speak.

https://github.com/ahmetoner/whisper-asr-webservice, app/webservice.py. With `encode=false` the file is samples without a head
(16 bits, mono, 16 kHz). Bazarr takes whatever it is answered for subtitles, also an error, and looks whether they are some: so
an error is JSON, which is none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sttd.job import Job
from sttd.languages import english_name
from sttd.outbox.names import stem
from sttd.text import printable
from sttd.web import results
from sttd.web.api import names, pcm, said
from sttd.web.api.asked import Asked, language
from sttd.web.api.form import Reader
from sttd.web.api.intake import put_once
from sttd.web.api.ticket import Ticket
from sttd.web.api.upload import Upload, begin, in_words
from sttd.web.api.waiting import finished
from sttd.web.site import Site

_OUTPUTS = ("txt", "vtt", "srt", "tsv", "json")
_HEARD = 120 * pcm.SECOND  # bytes of samples by which the language is told: films begin with music


def routes(site: Site) -> list[BaseRoute]:
    async def asr(request: Request) -> Response:
        output = request.query_params.get("output") or "txt"
        if output not in _OUTPUTS:
            raise HTTPException(422, f"output '{printable(output[:80])}' is not known: there are {', '.join(_OUTPUTS)}")
        job = await finished(site, request, await _submit(site, request, _asked(request)))
        return _gone() if job is None else await run_in_threadpool(_transcript, site, request, job, output)

    async def detect_language(request: Request) -> Response:
        ticket = await _submit(site, request, Asked(), _HEARD)
        job = await finished(site, request, ticket)
        return _gone() if job is None else JSONResponse(_language(job))

    return [
        Route("/asr", asr, methods=["POST"]),
        Route("/detect-language", detect_language, methods=["POST"]),
    ]


def _gone() -> Response:
    """For a client that has gone: nobody reads it."""
    return Response(status_code=499)


def _asked(request: Request) -> Asked:
    """Raises HTTPException where the query asks for what is not possible. What it holds beside that is passed over."""
    query = request.query_params
    task = query.get("task") or "transcribe"
    if task not in ("transcribe", "translate"):
        raise HTTPException(422, f"task '{printable(task[:80])}' is not known: there are transcribe and translate")
    words = query.get("word_timestamps", "").lower() in ("true", "1")
    asked = Asked(language(query.get("language")), task == "translate", words, query.get("initial_prompt", "").strip())
    asked.require_good()
    return asked


async def _submit(site: Site, request: Request, asked: Asked, most: int | None = None) -> Ticket:
    """Receive the file.

    Args:
        site: of this server.
        request: whose form has it.
        asked: the options.
        most: bytes of samples that are enough; what comes after them is passed over.
    """
    is_bare = request.query_params.get("encode", "true").lower() in ("false", "0")
    uploads: list[tuple[str, Upload]] = []
    with contextlib.ExitStack() as stack, in_words():

        def begun(given: str) -> Callable[[bytes], None]:
            name = _name(request, given, is_bare=is_bare)
            if not is_bare:
                names.require(name, site.config.watch.suffixes)
            limit = site.config.web.max_upload
            upload = begin(site.config.paths.inbox, limit, f".{name.rpartition('.')[2]}", None, stack)
            uploads.append((name, upload))
            if not is_bare:
                return upload.write
            upload.put(pcm.head(0))
            return lambda data: _add(upload, data, most)

        await Reader(request, "audio_file", begun).read()
        name, upload = uploads[0]
        if is_bare:
            _finish(upload)
        return await run_in_threadpool(put_once, site, upload, name, asked)


def _add(upload: Upload, data: bytes, most: int | None) -> None:
    room = (pcm.MOST if most is None else most) - (upload.size - pcm.HEAD)
    if most is None and len(data) > room:
        raise HTTPException(413, "it is longer than a WAV file can be")
    if room > 0:
        upload.write(data[:room])


def _finish(upload: Upload) -> None:
    samples = upload.size - pcm.HEAD
    if not samples:
        raise HTTPException(400, "it is empty")
    upload.put(pcm.head(samples))


def _name(request: Request, given: str, *, is_bare: bool) -> str:
    """The file's name. Bazarr's is always `audio_file`; it names the film in the query."""
    name = given.replace("\\", "/").rpartition("/")[2]
    if not is_bare:
        return name
    film = request.query_params.get("video_file", "").replace("\\", "/").rpartition("/")[2]
    return f"{stem(film) or stem(name) or 'audio'}{pcm.SUFFIX}"


def _transcript(site: Site, request: Request, job: Job, output: str) -> Response:
    if output != "json":
        answer = results.response(job, output, site.config, request)
        answer.headers["Asr-Engine"] = "sttd"
        return answer
    found = said.transcript(job, site.config)
    segments = [said.segment(number, each) for number, each in enumerate(found.segments)]
    for each, segment in zip(segments, found.segments, strict=True):
        each["words"] = said.words(segment)
    return JSONResponse({"text": found.text, "segments": segments, "language": found.meta.language})


def _language(job: Job) -> dict[str, str | float | None]:
    """The codes are "" where no language was heard."""
    code = job.language if job.language and job.language != "und" else ""
    name = english_name(code).lower() if code else ""
    return {"detected_language": name, "language_code": code, "confidence": job.language_probability}
