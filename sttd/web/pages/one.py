"""A job: its page with transcript and player, and the files that belong to it."""

from __future__ import annotations

import os
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sttd.job import ENDED, Job, State
from sttd.ledger import Ledger
from sttd.part import Cause
from sttd.view import plain
from sttd.web import files, results
from sttd.web.pages import asking, job as about, meaning, media, overview
from sttd.web.pages.drawing import draw, fragment, number, page, words_of
from sttd.web.pages.language import Words
from sttd.web.pages.live import Looks
from sttd.web.pages.text import BARS, Texts
from sttd.web.ranges import OpenFile
from sttd.web.site import Site


class _Number(IntegerConvertor):
    """Of a job, in an address: as many digits as SQLite takes in any case."""

    regex = "[0-9]{1,18}"


register_url_convertor("job", _Number())


class One:
    """Its addresses."""

    def __init__(self, site: Site, looks: Looks) -> None:
        self.site = site
        self._looks = looks
        self._texts = Texts(site.config)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/jobs/{number:job}", self.job),
            Route("/jobs/{number:job}/ask", self.ask, methods=["POST"]),
            Route("/jobs/{number:job}/recording", self.recording),
            Route("/jobs/{number:job}/result.{suffix}", self.result),
            Route("/jobs/{number:job}/transcript", self.transcript),
        ]

    def job(self, request: Request) -> Response:
        """A job's page; with `?fragment` how it stands alone."""
        language = words_of(request)
        with self.site.ledger() as ledger:
            job = _find(ledger, request)
            attempts = ledger.attempts(job.id)
            said = asking.said(ledger, request)
            ahead = ledger.ahead(job)[0] if job.state is State.QUEUED else 0
        may_ask = asking.may_ask(self.site.config)
        shot = self._looks.now()
        drawn = draw(
            "standing.html", language, **about.standing(job, shot, ahead, language, may_ask=may_ask, said=said)
        )
        if "fragment" in request.query_params:
            return fragment(drawn)
        address = request.url.include_query_params(fragment="1")
        return page(
            request,
            "job.html",
            standing=drawn,
            fragment=f"{address.path}?{address.query}",
            said=said,
            life=list(about.history(job, attempts, language)),
            **self._shown(job, language),
        )

    def _shown(self, job: Job, language: Words) -> dict[str, Any]:
        """What a page shows of a job that has ended."""
        shown = self._texts.beginning(job, language)
        name, gone = "", ""
        try:
            handle, name = files.open_recording(job, self.site.config)
            os.close(handle)
        except files.Missing as error:
            gone = error.why
        row = overview.row(job, language)
        written = {path.rpartition(".")[2] for path in job.outputs}
        made = set(about.FORMATS) if shown.head is not None else written
        return {
            "job": job,
            "name": row.name,
            "folder": row.folder,
            "about": row.about,
            "ended": job.state in ENDED,
            "pieces": shown.pieces,
            "text": shown.text,
            "spoken": "" if job.language in (None, "und") else job.language,
            "silence": about.SILENCE.get(job.state, about.SILENCE[None]),
            "bars": shown.bars or (0.0,) * BARS,
            "length": job.audio_seconds or 0.0,
            "clock": plain.clock(job.audio_seconds),
            "media": bool(name) and job.state in ENDED,
            "film": bool(name) and media.is_film(name) and job.state in ENDED,
            "gone": meaning.of_error(gone, Cause.GONE) if gone and job.state in ENDED else None,
            "formats": [(suffix, title) for suffix, title in about.FORMATS.items() if suffix in made],
            "details": list(about.details(job, shown.head or {}, language)),
        }

    def transcript(self, request: Request) -> Response:
        """The segments from one on, for the script that puts together a long transcript."""
        with self.site.ledger() as ledger:
            job = _find(ledger, request)
        drawn = self._texts.piece(job, number(request.query_params.get("from")) or 0, words_of(request))
        if drawn is None:
            raise HTTPException(404, "the transcript is not there any more")
        return fragment(drawn)

    def recording(self, request: Request) -> Response:
        with self.site.ledger() as ledger:
            job = _find(ledger, request)
        try:
            handle, name = files.open_recording(job, self.site.config)
        except files.Missing as error:
            raise HTTPException(404, f"the recording cannot be played: {error.why}") from None
        headers = {"Content-Type": media.kind(name), "Cache-Control": "private, no-cache"}
        if "download" in request.query_params:
            headers["Content-Disposition"] = results.attachment(name)
        return OpenFile(handle, request, headers)

    def result(self, request: Request) -> Response:
        """Also made of a JSON that a person has corrected: the page shows that, too."""
        with self.site.ledger() as ledger:
            job = _find(ledger, request)
        return results.response(job, request.path_params["suffix"], self.site.config, request, results.corrected)

    async def ask(self, request: Request) -> Response:
        asked = (await asking.fields(request)).get("ask", "")
        job = await run_in_threadpool(self._job, request)
        name = await run_in_threadpool(asking.leave, self.site.config, asked, job)
        return RedirectResponse(f"/jobs/{job.id}?request={name}", 303)

    def _job(self, request: Request) -> Job:
        with self.site.ledger() as ledger:
            return _find(ledger, request)


def _find(ledger: Ledger, request: Request) -> Job:
    """The job that an address names. Raises NoSuchJob."""
    return ledger.get(request.path_params["number"])
