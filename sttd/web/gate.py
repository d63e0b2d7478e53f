"""Who may come in. Every request passes here, before any route sees it.

- Host: a page of a stranger whose name was pointed at this machine (DNS rebinding) is refused, because no name is taken but
  `localhost` and those in `web.hosts`. An IP address cannot be pointed elsewhere.
- Origin: a page of another site can send forms and files here, with the cookie in old browsers; a page of another port of this
  host can in all, because browsers keep one jar of cookies for all ports. Whatever changes something must come from our own
  page, or from a program that is no browser and sends no Origin.
- Token: everything but `OPEN` needs it, on loopback too: every user and every page in a browser reaches 127.0.0.1.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
from collections.abc import Callable, Collection

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sttd.config.web import Address
from sttd.web import login

OPEN = frozenset({"/healthz", login.PATH, login.STYLE})
_NO_TOKEN = "this needs the token: Authorization: Bearer TOKEN"  # noqa: S105 - no token is in it
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # not no-referrer: with that a browser sends `Origin: null` with our own forms (Fetch Standard, "append a request
    # `Origin` header"). To other sites both send nothing
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Gate:
    """The outermost layer of the application.

    Args:
        app: what lies behind it.
        token: lets a request in, as `Authorization: Bearer`, as the password of `Basic`, or by the cookie of `login`.
        listen: the address that the server listens on; its port names the cookie.
        hosts: names in `Host` and `Origin` that are ours.
        refusal: the answer to a program, made of a status and a sentence, in the shape that it expects.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str,
        listen: Address,
        hosts: Collection[str],
        refusal: Callable[[Request, int, str], Response],
    ) -> None:
        self._app = app
        self._token = token.encode()
        self._cookie = login.cookie_name(listen), login.cookie_value(token)
        self._listen = listen
        self._hosts = {"localhost", *hosts}
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)  # the lifespan; WebSockets are off in the server
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        request = Request(scope)
        refused = self._foreign(request) or self._unknown(request)
        await (refused or self._app)(scope, receive, guarded)

    def _foreign(self, request: Request) -> Response | None:
        """The refusal of a request that was meant for another server, or that another site's page made."""
        host = request.headers.get("host", "")
        if not self._is_ours(host):
            name = host or "without a name"
            return self._refusal(request, 421, f"Host {name}: add the name to hosts in [web] if it is this machine's")
        origin = request.headers.get("origin")
        if request.method in _SAFE or origin is None:
            return None
        if self._is_own(origin.partition("://")[2], host, request.headers.get("sec-fetch-site")):
            return None
        return self._refusal(request, 403, "this came from a page of another site")

    def _is_own(self, where: str, host: str, said: str | None) -> bool:
        """Whether a page is one of ours.

        Args:
            where: its origin, without the scheme.
            host: that it asks. A proxy may have put its own address for the name that the browser knows.
            said: by the browser, which knows (Sec-Fetch-Site); many say it to HTTPS and to this machine alone.
        """
        name = _name(where)
        if said is not None and said != "same-origin":
            return False
        if name and where.lower() == host.lower():
            return True
        return name in self._hosts and (said is not None or name not in ("localhost", _name(host)))

    def _is_ours(self, host: str) -> bool:
        """Whether a `Host`, with or without a port, is one by which this server can be meant."""
        name = _name(host)
        return name in self._hosts or _is_address(name)

    def _unknown(self, request: Request) -> Response | None:
        """The refusal of a request without the token."""
        if request.scope["path"] in OPEN or self._is_known(request):
            return None
        answer = login.form_for(request) or self._refusal(request, 401, _NO_TOKEN)
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    def _is_known(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return hmac.compare_digest(given.strip().encode(), self._token)
        if scheme.lower() == "basic":
            return hmac.compare_digest(_password(given), self._token)
        name, value = self._cookie
        is_known = hmac.compare_digest(request.cookies.get(name, "").encode(), value.encode())
        # a browser's page says where it comes from whenever it changes something
        return is_known and (request.method in _SAFE or "origin" in request.headers)


def _name(host: str) -> str:
    """The name or the address in a `Host`, without its port; "" where it is neither.

    Read strictly: what else stands in it, such as a path, would mislead whoever puts an address together with it.
    """
    found = _HOST.fullmatch(host)
    return found[1].strip("[]").lower().removesuffix(".") if found else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _password(given: str) -> bytes:
    """The password of `Authorization: Basic`: programs that know no tokens take an address such as http://sttd:TOKEN@host."""
    try:
        return base64.b64decode(given.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
