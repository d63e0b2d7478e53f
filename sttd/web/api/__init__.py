"""What programs speak to: uploads, tickets, and the shapes of other speech-to-text services.

files.py                    /api/v1: send a file, ask for its ticket, fetch a result
openai.py                   /v1/audio: OpenAI's shape
asr.py                      /asr, /detect-language: whisper-asr-webservice's shape
upload.py form.py names.py  a file comes in
intake.py asked.py pcm.py   it goes into the inbox, and its options with it
ticket.py standing.py       what has become of it
waiting.py                  a client waits for it
said.py                     what came of it, in their shapes
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from loguru import logger
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from sttd.web.api import asr, files, openai
from sttd.web.api.upload import remove_leftovers
from sttd.web.site import Site

_OPENAI, _ASR = "/v1/", ("/asr", "/detect-language")
PATHS = ("/api/", _OPENAI, *_ASR)  # beginnings of paths whose errors are answered by `error` here
_CLIENT_ERRORS = 500  # and above: errors of the server


def routes(site: Site) -> list[BaseRoute]:
    return [*files.routes(site), *openai.routes(site), *asr.routes(site)]


@contextlib.asynccontextmanager
async def lifespan(site: Site) -> AsyncIterator[None]:
    """What runs beside the requests, from the start of the server to its end."""
    try:
        removed = await run_in_threadpool(remove_leftovers, site.config.paths.inbox)
    except OSError as error:  # each upload will say what is the matter
        logger.warning("the inbox {} cannot be looked at: {}", site.config.paths.inbox, error.strerror)
    else:
        if removed:
            logger.info("uploads that were cut off by the end of an earlier sttd web are removed: {}", removed)
    yield


def error(site: Site, request: Request, status: int, text: str) -> Response:  # noqa: ARG001
    """The answer to a request that could not be done, as its client expects it. `text` is one sentence, not escaped."""
    path: str = request.scope["path"]  # of `request.url` a Host that is none would get into it
    if path.startswith(_OPENAI):
        kind = "server_error" if status >= _CLIENT_ERRORS else "invalid_request_error"
        return JSONResponse({"error": {"message": text, "type": kind, "param": None, "code": None}}, status)
    if path.startswith(_ASR):
        return JSONResponse({"detail": text}, status)
    return JSONResponse({"error": text}, status)
