"""`/api/v1`: send a file, ask what became of it, fetch its results."""

from __future__ import annotations

import contextlib

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sttd.job import ENDED, Job, State
from sttd.web import results
from sttd.web.api import names
from sttd.web.api.form import Received, length, pieces
from sttd.web.api.intake import put
from sttd.web.api.standing import Stand, Standing, look
from sttd.web.api.ticket import Ticket
from sttd.web.api.upload import begin, in_words
from sttd.web.site import Site

JOBS = "/api/v1/jobs"


def routes(site: Site) -> list[BaseRoute]:
    async def submit(request: Request) -> Response:
        return await _submit(site, request)

    def job(request: Request) -> Response:
        return JSONResponse(_figures(_standing(site, request)))

    def result(request: Request) -> Response:
        job = _done(_standing(site, request))
        return results.response(job, request.path_params["format"], site.config, request)

    return [
        Route("/api/v1/files/{name:path}", submit, methods=["PUT"]),
        Route(JOBS + "/{ticket}", job),
        Route(JOBS + "/{ticket}/result.{format}", result),
    ]


async def _submit(site: Site, request: Request) -> Response:
    """Receive a file. Only its rename makes it one that the daemon sees; the answer comes after that."""
    name = names.require(request.path_params["name"], site.config.watch.suffixes)
    suffix, expected = f".{name.rpartition('.')[2]}", length(request)
    inbox, limit = site.config.paths.inbox, site.config.web.max_upload
    with contextlib.ExitStack() as stack, in_words():
        upload = await run_in_threadpool(begin, inbox, limit, suffix, expected, stack)
        received = Received(upload.write)
        async for piece in pieces(request):
            await received.add(piece)
        await received.flush()
        ticket = await run_in_threadpool(put, site, upload, name)
    found = {"ticket": str(ticket), "name": ticket.name, "state": Stand.WAITING}
    return JSONResponse(found, 202, {"Location": f"{JOBS}/{ticket}"})


def _standing(site: Site, request: Request) -> Standing:
    """Raises HTTPException where there is no such ticket."""
    try:
        ticket = Ticket.parse(request.path_params["ticket"])
    except ValueError:
        raise HTTPException(404, "this is no ticket") from None
    return look(site, ticket)


def _figures(found: Standing) -> dict[str, object]:
    formats = results.available(found.job) if found.job is not None and found.state == State.DONE else []
    return found.figures() | {"results": {each: f"{JOBS}/{found.ticket}/result.{each}" for each in formats}}


def _done(found: Standing) -> Job:
    """Raises HTTPException where it has no results, or none yet."""
    if found.job is not None and found.job.state is State.DONE:
        return found.job
    if found.job is not None and found.job.state in ENDED:
        raise HTTPException(404, f"there is no result, the job is {found.state}: {found.words}")
    raise HTTPException(409, f"there is no result yet, the job is {found.state}: {found.words}", {"Retry-After": "5"})
