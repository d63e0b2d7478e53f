"""All addresses of the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sttd.web.pages import asking
from sttd.web.pages.drawing import page
from sttd.web.pages.finding import Finder
from sttd.web.pages.front import Front
from sttd.web.pages.language import COOKIE, OFFERED
from sttd.web.pages.live import Looks
from sttd.web.pages.one import One
from sttd.web.pages.reporting import Reporting
from sttd.web.site import Site

_STATIC = Path(__file__).with_name("static")
TITLES = {
    400: "That cannot be done", 403: "That may not be done", 404: "There is no such page", 500: "That did not work",
    503: "Not now",
}  # fmt: skip
_YEAR = 365 * 86400  # seconds that a browser keeps the language


class Pages:
    """The pages of one site."""

    def __init__(self, site: Site) -> None:
        looks = Looks(site)
        self._front, self._one, self._finder = Front(site, looks), One(site, looks), Finder(site)
        self._reporting = Reporting(site)

    def routes(self) -> list[BaseRoute]:
        return [
            *self._front.routes(),
            *self._one.routes(),
            *self._finder.routes(),
            *self._reporting.routes(),
            Route("/language", _language, methods=["POST"]),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """What runs beside the requests, from the start of the server to its end."""
        await run_in_threadpool(self._finder.start)
        try:
            yield
        finally:
            await run_in_threadpool(self._finder.stop)


async def _language(request: Request) -> Response:
    """The switch of the language."""
    fields = await asking.fields(request)
    back = fields.get("back", "/")
    is_path = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable()
    answer = RedirectResponse(back if is_path else "/", 303)
    if fields.get("language") in OFFERED:
        answer.set_cookie(COOKIE, fields["language"], max_age=_YEAR, httponly=True, samesite="strict")
    return answer


def error(request: Request, status: int, text: str) -> Response:
    """The page of an error. What only names the status, as HTTP does, says no more than the title."""
    title = TITLES.get(status, TITLES[500])
    return page(
        request, "problem.html", status=status, title=title, text="" if text == HTTPStatus(status).phrase else text
    )
