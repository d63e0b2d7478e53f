"""What programs speak to: uploads, tickets, and the shapes of other speech-to-text services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from sttd.web.site import Site

PATHS = ("/api/", "/v1/", "/asr")  # beginnings of paths whose errors are answered by `error` here


def routes(site: Site) -> list[BaseRoute]:  # noqa: ARG001
    return []


@asynccontextmanager
async def lifespan(site: Site) -> AsyncIterator[None]:  # noqa: ARG001
    """What runs beside the requests, from the start of the server to its end."""
    yield


def error(site: Site, request: Request, status: int, text: str) -> Response:  # noqa: ARG001
    """The answer to a request that could not be done. `text` is one sentence, not escaped."""
    return JSONResponse({"error": text}, status)
