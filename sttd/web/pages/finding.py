"""The search page, and the thread that keeps its index as the transcripts are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from loguru import logger
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sttd.errors import AlreadyRunning
from sttd.ledger.names import LEDGER
from sttd.search import INDEX, Coverage, Excerpt, Follower, Hit, IndexTrouble, Offered, Passage, Search
from sttd.text import sentence
from sttd.web import files
from sttd.web.pages.drawing import number, page, words_of
from sttd.web.pages.narrowing import Narrowed, folders, languages
from sttd.web.pages.overview import name_of
from sttd.web.site import Site

_ASKED = 200  # characters of a query
_PLACES = 100  # of one recording on a page
_ENDING = 5.0  # seconds that the end of the server waits for the thread, which may hang on a share


class Finder:
    """The address of the search, and its thread."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._index = site.folder / INDEX
        self._ledger = site.config.paths.state / LEDGER
        self._search = Search(self._index, self._remake)
        self._follower: Follower | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def routes(self) -> list[BaseRoute]:
        return [Route("/search", self.search)]

    def start(self) -> None:
        """Follow the ledger in a thread. Where that is not possible the log says why, and the rest of the page works."""
        try:
            self._index.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            config = self.site.config
            self._follower = Follower(self._index, self._ledger, files.folders(config), config.paths.transcripts)
        except (AlreadyRunning, IndexTrouble, OSError) as error:
            logger.warning("the search index is not kept up to date: {}", sentence(str(error)))
            return
        self._thread = threading.Thread(target=self._follower.run, args=(self._stop,), name="search", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None and self._follower is not None:
            self._thread.join(_ENDING)
            if not self._thread.is_alive():
                self._follower.close()

    def _remake(self) -> None:
        if self._follower is not None:
            self._follower.ask_to_remake()

    def search(self, request: Request) -> Response:
        """All recordings with what is asked for; with `?job` its places in one."""
        asked = " ".join(request.query_params.get("q", "")[:_ASKED].split())
        job, before = number(request.query_params.get("job")), number(request.query_params.get("before"))
        narrowed, offered = Narrowed.of(request.query_params), self.offered
        found, spots, older, problem = list[Line](), list[Spot](), None, ""
        try:
            if asked and job is not None:
                spots = self.places(job, asked)
            elif asked:
                found, older = self.hits(asked, narrowed, before)
        except IndexTrouble as error:
            problem = sentence(str(error))
        name = ""
        if spots and job is not None:
            with self.site.ledger() as ledger:
                name = name_of(ledger.get(job).source)[0]
        return page(
            request,
            "search.html",
            here="search",
            query=asked,
            narrowed=narrowed,
            languages=languages(offered, narrowed, words_of(request)),
            folders=folders(offered),
            found=found,
            spots=spots,
            older=older,
            whole=_address(asked, narrowed),
            number=job,
            name=name,
            problem=problem,
            coverage=self.coverage,
        )

    @property
    def offered(self) -> Offered:
        return Offered() if self._follower is None else self._follower.offered

    @property
    def coverage(self) -> Coverage:
        return Coverage() if self._follower is None else self._follower.coverage

    def hits(self, asked: str, narrowed: Narrowed, before: int | None) -> tuple[list[Line], str | None]:
        """A page of recordings, and the address of the next one.

        Raises:
            IndexTrouble: the index cannot be read.
        """
        found = self._search.find(asked, narrowed.filters(), before=before)
        older = _address(asked, narrowed, before=found.next) if found.next is not None else None
        return [_line(hit, asked, narrowed) for hit in found.hits], older

    def places(self, job: int, asked: str) -> list[Spot]:
        """Where in one recording that was said which is asked for.

        Raises:
            IndexTrouble: the index cannot be read.
        """
        return [_spot(job, passage) for passage in self._search.within(job, asked, _PLACES)]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a recording: a link into the player."""

    address: str
    start: float  # seconds
    language: str
    pieces: list[tuple[str, bool]]  # text, and whether it was asked for


@dataclass(frozen=True, slots=True)
class Line:
    """A recording that was found."""

    job: int
    name: list[tuple[str, bool]]
    folder: str
    when: float  # UTC seconds
    language: str
    spot: Spot | None
    places: int
    more: str  # the address of all its places


def _address(asked: str, narrowed: Narrowed, **more: int) -> str:
    return f"/search?{urlencode({'q': asked, **narrowed.query(), **more})}"


def _line(hit: Hit, asked: str, narrowed: Narrowed) -> Line:
    more = _address(asked, narrowed, job=hit.job)
    spot = None if hit.passage is None else _spot(hit.job, hit.passage)
    folder = name_of(hit.source)[1]
    return Line(hit.job, list(_pieces(hit.name)), folder, hit.created_at, hit.language, spot, hit.places, more)


def _spot(job: int, passage: Passage) -> Spot:
    language = "" if passage.language == "und" else passage.language
    return Spot(f"/jobs/{job}#t={passage.start:.2f}", passage.start, language, list(_pieces(passage.excerpt)))


def _pieces(excerpt: Excerpt) -> Iterator[tuple[str, bool]]:
    """The text of an excerpt, cut where what was asked for begins and ends."""
    last = 0
    for start, end in excerpt.marks:
        yield sentence(excerpt.text[last:start]), False
        yield sentence(excerpt.text[start:end]), True
        last = end
    yield sentence(excerpt.text[last:]), False
