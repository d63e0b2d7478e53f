"""The application: all routes behind the gate, and one answer for each kind of error."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from loguru import logger
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sttd.errors import LedgerError, NoSuchJob
from sttd.view.access import NotAllowed
from sttd.web import api, health, login, metrics, pages
from sttd.web.connection import Streams
from sttd.web.gate import Gate
from sttd.web.site import Site


def application(site: Site) -> Starlette:
    """Everything that is served."""
    web, face = site.config.web, pages.Pages(site)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with api.lifespan(site), face.lifespan():
            yield

    def refusal(request: Request, status: int, text: str) -> Response:
        if _is_program(request):
            return api.error(site, request, status, text)
        return PlainTextResponse(f"{text}\n", status)

    async def failed(request: Request, error: Exception) -> Response:
        return _answer(site, request, error)

    app = Starlette(
        routes=[
            *login.routes(site),
            Route("/healthz", health.route(site)),
            Route("/metrics", metrics.route(site)),
            *api.routes(site),
            *face.routes(),
        ],
        middleware=[
            Middleware(Streams),
            Middleware(Gate, token=site.token, listen=web.listen, hosts=web.hosts, refusal=refusal),
            Middleware(_Faults, site=site),
        ],
        exception_handlers=dict.fromkeys((HTTPException, NoSuchJob, LedgerError, NotAllowed), failed),
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # one address for one thing
    return app


class _Faults:
    """Faults in sttd itself: logged with their traceback, answered behind the gate as all else is.

    Starlette's own layer for them lies outside the gate.
    """

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:  # a fault of one request must not be one of the others
            logger.opt(exception=error).error("fault in sttd web at {} {}", scope.get("method"), scope.get("path"))
            if scope["type"] != "http" or has_begun:
                raise
            await _answer(self._site, Request(scope), error)(scope, receive, send)


def _answer(site: Site, request: Request, error: Exception) -> Response:
    """The answer to a request that ended with an error, in the form that its path asks for."""
    headers = None
    match error:
        case HTTPException():
            status, text, headers = error.status_code, error.detail, error.headers
        case NoSuchJob():
            status, text = 404, str(error)
        case LedgerError() | NotAllowed():
            status, text, headers = 503, str(error), {"Retry-After": "10"}
        case _:
            status, text = 500, "there is a fault in sttd: its log has the details"
    answer = api.error(site, request, status, text) if _is_program(request) else pages.error(request, status, text)
    answer.headers.update(headers or {})
    return answer


def _is_program(request: Request) -> bool:
    """Whether it came to an address of programs."""
    path: str = request.scope["path"]
    return path.startswith(api.PATHS)
