"""`python -m tests.web.hasty`: sttd, whose web server waits for tenths of a second, and has routes that a test needs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from sttd.cli import main
from sttd.web import connection, server
from sttd.web.site import Site

if os.environ.get("HASTE") != "none":
    connection.HEAD_TIME = connection.SPAN = connection.STALL = server._IDLE = 0.3


async def _events(_request: Request) -> Response:
    async def each() -> AsyncIterator[str]:
        while True:
            yield "data: x\n\n"
            await asyncio.sleep(60)

    return StreamingResponse(each(), media_type="text/event-stream")


async def _endless(_request: Request) -> Response:
    async def each() -> AsyncIterator[bytes]:
        while True:
            yield bytes(2**16)
            await asyncio.sleep(0)

    return StreamingResponse(each())


async def _upload(request: Request) -> Response:
    size = 0
    async for part in request.stream():
        size += len(part)
    return PlainTextResponse(str(size))


async def _late(request: Request) -> Response:
    """An application that is slow itself: for longer than any limit nothing moves."""
    await asyncio.sleep(1)
    return PlainTextResponse(str(len(await request.body())))


async def _fault(_request: Request) -> Response:
    raise ZeroDivisionError


_ROUTES = [
    Route("/events", _events),
    Route("/endless", _endless),
    Route("/upload", _upload, methods=["PUT"]),
    Route("/late", _late, methods=["PUT"]),
    Route("/fault", _fault),
    Route("/api/fault", _fault),
]
_application = server.application


def _with_routes(site: Site) -> Starlette:
    app = _application(site)
    app.router.routes[:0] = _ROUTES
    return app


server.application = _with_routes
main()
