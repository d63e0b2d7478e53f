"""The first page: what sttd does now, and the list of jobs; both change while somebody looks."""

from __future__ import annotations

from collections.abc import AsyncIterator

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sttd.text import printable
from sttd.web.pages import asking, meaning, overview
from sttd.web.pages.drawing import draw, fragment, number, page, words_of
from sttd.web.pages.language import Words
from sttd.web.pages.live import Live, Looks, Snapshot
from sttd.web.site import Site


class Front:
    """Its addresses."""

    def __init__(self, site: Site, looks: Looks) -> None:
        self.site = site
        self._looks = looks
        self._live = Live(looks.now)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.queue),
            Route("/live", self.live),
            Route("/ask", self.ask, methods=["POST"]),
        ]

    def queue(self, request: Request) -> Response:
        """The first page; with `?fragment` its list alone."""
        language = words_of(request)
        tab = request.query_params.get("state", "")
        if tab not in overview.TABS:
            raise HTTPException(404, "there is no such state of a job")
        before = number(request.query_params.get("before"))
        may_ask = asking.may_ask(self.site.config)
        shot = self._looks.now()
        with self.site.ledger() as ledger:
            listing = overview.listing(ledger, tab, before, shot, language)
            said = asking.said(ledger, request)
        drawn = draw("list.html", language, listing=listing, tabs=_tabs(), may_ask=may_ask)
        if "fragment" in request.query_params:
            return fragment(drawn)
        address = request.url.include_query_params(fragment="1").remove_query_params("request")
        now = self._now(shot, language)
        address_of_fragment = f"{address.path}?{address.query}"
        return page(
            request,
            "queue.html",
            here="queue",
            now=now,
            list=drawn,
            fragment=address_of_fragment,
            said=said,
            refusals=meaning.REFUSALS,
        )

    def _now(self, shot: Snapshot, language: Words) -> Markup:
        if language.language not in shot.drawn:
            may_ask = asking.may_ask(self.site.config)
            shot.drawn[language.language] = draw(
                "now.html",
                language,
                status=shot.status,
                look=overview.head(shot.status),
                heads=overview.HEADS,
                held_up=overview.held_up(shot, self.site.config.program, may_ask=may_ask),
                workers=overview.workers(shot, language),
                away=overview.away(shot),
                ignored=overview.ignored(shot),
                may_ask=may_ask,
                inbox=printable(str(self.site.config.paths.inbox)),
            )
        return Markup(shot.drawn[language.language])  # noqa: S704 - made by a template

    async def live(self, request: Request) -> Response:
        """What changes, as server-sent events: `now` has the top of the first page, `ledger` says that jobs have changed."""
        language = words_of(request)
        headers = {"X-Accel-Buffering": "no"}  # of nginx: a proxy that waits for more shows nothing
        return StreamingResponse(self._events(language), media_type="text/event-stream", headers=headers)

    async def _events(self, language: Words) -> AsyncIterator[str]:
        ledger: tuple[int, ...] | None = None
        async for shot in self._live.follow():
            if shot is None:
                yield ": nothing new\n\n"
                continue
            html = await run_in_threadpool(self._now, shot, language)
            lines = "".join(f"data: {line}\n" for line in str(html).splitlines())
            yield f"event: now\n{lines}\n"
            if shot.ledger != ledger:
                yield "event: ledger\ndata:\n\n"
                ledger = shot.ledger

    async def ask(self, request: Request) -> Response:
        asked = (await asking.fields(request)).get("ask", "")
        name = await run_in_threadpool(asking.leave, self.site.config, asked, None)
        return RedirectResponse(f"/?request={name}", 303)


def _tabs() -> dict[str, str]:
    return {name: title for name, (title, _) in overview.TABS.items()}
