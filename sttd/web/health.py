"""`/healthz`: whether transcription goes on, for a load balancer, a container or a monitor. It needs no token and names nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sttd.cli import figures
from sttd.errors import SttdError
from sttd.web.site import Site

_WORDS = {0: "ok", 1: "held up", 3: "not running"}  # by the exit code of `sttd status`


def route(site: Site) -> Callable[[Request], Response]:
    def healthz(_request: Request) -> Response:
        """200 if `sttd status` would end with 0, else 503."""
        try:
            word = _WORDS[figures.health(site.status(), time.time())]
        except SttdError:  # its text names folders, and anybody may ask
            word = "ledger not readable"
        return JSONResponse({"status": word}, 200 if word == "ok" else 503)

    return healthz
