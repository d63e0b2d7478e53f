"""The page that people look at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from sttd.web.site import Site


def routes(site: Site) -> list[BaseRoute]:  # noqa: ARG001
    return []


@asynccontextmanager
async def lifespan(site: Site) -> AsyncIterator[None]:  # noqa: ARG001
    """What runs beside the requests, from the start of the server to its end."""
    yield


def error(site: Site, request: Request, status: int, text: str) -> Response:  # noqa: ARG001
    """The answer to a request that could not be done. `text` is one sentence, not escaped."""
    return PlainTextResponse(f"{text}\n", status)
