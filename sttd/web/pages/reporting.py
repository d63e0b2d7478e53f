"""The report's page. It is made in a thread of its own and kept for some seconds: a year takes longer than a request may."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sttd import report
from sttd.errors import LedgerError
from sttd.view.access import NotAllowed
from sttd.web.pages.drawing import page, words_of
from sttd.web.results import attachment
from sttd.web.site import Site

_DAY = 86400.0  # seconds
PERIODS = {
    "24h": ("24 hours", _DAY), "7d": ("7 days", 7 * _DAY), "30d": ("30 days", 30 * _DAY), "1y": ("1 year", 365 * _DAY),
}  # fmt: skip
USUAL = "7d"
_FRESH = 10.0  # seconds that a report is shown without a new look
_STALE = 60.0  # seconds that it is shown while a new one is being made
_PATIENCE = 0.06  # seconds that a request waits for that


@dataclass(frozen=True, slots=True)
class Drawn:
    """A report, for one period and language."""

    period: str
    content: report.Markup
    file: str  # the same as a file of its own
    made: float  # monotonic


class Reporting:
    """Its addresses."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._lock = threading.Lock()
        self._maker = ThreadPoolExecutor(1, "report")
        self._drawn: dict[tuple[str, str], Drawn] = {}
        self._under_way: dict[tuple[str, str], Future[Drawn]] = {}
        self._failed: dict[tuple[str, str], tuple[LedgerError | NotAllowed, float]] = {}

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/report", self.report),
            Route("/report.html", self.file),
            Route("/report.css", self.style),
        ]

    def report(self, request: Request) -> Response:
        """The page; one that loads itself again where the report is not made yet."""
        since = _since(request)
        drawn, is_latest = self._latest(since, words_of(request).language)
        return page(
            request, "report.html", here="report", periods=PERIODS, since=since, drawn=drawn, again=not is_latest
        )

    def file(self, request: Request) -> Response:
        """The report as a file of its own."""
        since = _since(request)
        drawn, _ = self._latest(since, words_of(request).language)
        if drawn is None:
            return RedirectResponse(f"/report?since={since}", 303)
        return Response(
            drawn.file, headers={"Content-Disposition": attachment(f"sttd-{since}.html")}, media_type="text/html"
        )

    def style(self, request: Request) -> Response:  # noqa: ARG002 - see Starlette
        return Response(report.style(), headers={"Cache-Control": "private, no-cache"}, media_type="text/css")

    def _latest(self, since: str, language: str) -> tuple[Drawn | None, bool]:
        """The report as it is now, or was a moment ago, and whether no newer one is being made. None: it is not made yet.

        Raises:
            LedgerError, NotAllowed: the ledger cannot be read.
        """
        key = since, language
        with self._lock:
            known = self._drawn.get(key)
            if known is not None and time.monotonic() - known.made < _FRESH:
                return known, True
            error, failed = self._failed.get(key, (None, 0.0))
            if error is not None and time.monotonic() - failed < _FRESH:
                raise error
            if key not in self._under_way:
                self._under_way[key] = self._maker.submit(self._make, since, language)
            future = self._under_way[key]
        try:
            return future.result(_PATIENCE), True
        except TimeoutError:
            is_shown = known is not None and time.monotonic() - known.made < _STALE
            return known if is_shown else None, False

    def _make(self, since: str, language: str) -> Drawn:
        try:
            now, words = time.time(), report.words_of(language)
            with self.site.ledger() as ledger:
                figures = report.build(ledger, now - PERIODS[since][1], now, report.Levels.of(self.site.config))
            content = report.content(figures, words)
            file = report.document(figures, words, drawn=content)
            drawn = Drawn(report.period(figures, words), content, file, time.monotonic())
            with self._lock:
                self._drawn[since, language] = drawn
            return drawn
        except (LedgerError, NotAllowed) as error:
            self._failed[since, language] = error, time.monotonic()
            raise
        finally:
            with self._lock:
                del self._under_way[since, language]


def _since(request: Request) -> str:
    """Of which period. Raises HTTPException where there is no such one."""
    since = request.query_params.get("since", USUAL)
    if since not in PERIODS:
        raise HTTPException(404, "there is no report of such a time")
    return since
