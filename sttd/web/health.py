"""`/healthz`: whether transcription goes on, for a load balancer, a container or a monitor. It needs no token and names nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sttd.errors import SttdError
from sttd.view import figures
from sttd.web.site import Site

_HEALTHY, _NOT_RUNNING = 0, 3  # exit codes of `sttd status`


def route(site: Site) -> Callable[[Request], Response]:
    def healthz(_request: Request) -> Response:
        """200 if `sttd status` would end with 0, else 503."""
        try:
            word, detail = _said(site.status())
        except SttdError:  # its text names folders, and anybody may ask
            word, detail = "ledger not readable", "the ledger cannot be read: `sttd status` says why"
        return JSONResponse({"status": word, "detail": detail}, 200 if word == "ok" else 503)

    return healthz


def _said(status: dict[str, Any]) -> tuple[str, str]:
    """A word, and a sentence. Anybody may ask: no name of a recording, a folder or a machine is in them."""
    code, silent = figures.health(status, time.time()), status["daemon"]["silent"]
    if code == _HEALTHY:
        return "ok", "the daemon runs, and nothing holds work up"
    if code == _NOT_RUNNING:
        return "not running", "no daemon runs"
    if silent:
        return "hangs", figures.hangs(silent)
    return "held up", "something holds work up: `sttd status` says what"
