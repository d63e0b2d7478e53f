"""`/login`: a person brings the token once, by the link that was printed or by the form, and the browser keeps a cookie."""

from __future__ import annotations

import hashlib
import hmac
from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sttd.config.web import Address
from sttd.web.site import Site

PATH, STYLE = "/login", "/login.css"
_LONGEST = 4096  # bytes of a form
_KEPT = 180 * 86400  # seconds that a browser keeps the cookie
_TRY_AGAIN = "That is not the token. / โทเค็นไม่ถูกต้อง"

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{head}<title>sttd</title>
<link rel="stylesheet" href="/login.css">
</head>
<body>
<main>
<h1>sttd</h1>
{body}</main>
</body>
</html>
"""
_FORM = """\
<form method="post" action="/login">
<p role="status">{problem}</p>
<label for="token">Token <span lang="th">/ โทเค็น</span></label>
<input name="username" autocomplete="username" value="sttd" hidden>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<input name="next" type="hidden" value="{after}">
<button>Log in <span lang="th">/ เข้าสู่ระบบ</span></button>
</form>
<p><code>sttd web --link</code> prints an address that logs you in.
<span lang="th">คำสั่งนี้แสดงลิงก์สำหรับเข้าสู่ระบบ</span></p>
"""
_CSS = """\
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0; display: grid; min-height: 100vh; place-items: center; }
main { width: min(22rem, 100vw - 3rem); }
form { display: grid; gap: .6rem; }
[role=status] { margin: 0; font-weight: 600; }
input, button { font: inherit; padding: .5rem .7rem; }
"""


def cookie_name(listen: Address) -> str:
    """Browsers keep one jar for all ports of a host: two services on one machine have a cookie each."""
    return f"sttd-{listen.port}"


def cookie_value(token: str) -> str:
    """What the cookie holds: it proves that the token was known, and is no token. A new token ends all cookies."""
    return hmac.new(token.encode(), b"sttd web cookie", hashlib.sha256).hexdigest()


def form_for(request: Request) -> Response | None:
    """The answer to a person's request without the token; None: a program asks."""
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        path, query = request.scope["raw_path"].decode("ascii"), request.scope["query_string"].decode("ascii")
        after = f"{path}?{query}" if query else path
        if request.headers.get("sec-fetch-site") == "cross-site":
            return _again(after, 401)
        return _form("", after, 401)
    return None


def routes(site: Site) -> list[Route]:
    async def login(request: Request) -> Response:
        if request.method == "GET":
            given, after = request.query_params.get("token"), "/"
        else:
            fields = await _fields(request)
            given, after = fields.get("token", ""), fields.get("next", "/")
        if given is None:
            return _form("", "/", 200)
        if not hmac.compare_digest(given.strip().encode(), site.token.encode()):
            return _form(_TRY_AGAIN, after, 403)
        return _welcome(request, after)

    def _welcome(request: Request, after: str) -> Response:
        answer: Response
        if request.method == "GET":
            answer = _again("/", 200)
        else:
            answer = RedirectResponse(after if _is_path(after) else "/", 303)
        name, value = cookie_name(site.config.web.listen), cookie_value(site.token)
        answer.set_cookie(name, value, max_age=_KEPT, path="/", httponly=True, samesite="strict")
        return answer

    async def style(_request: Request) -> Response:
        return Response(_CSS, media_type="text/css")

    return [Route(PATH, login, methods=["GET", "POST"]), Route(STYLE, style)]


def _form(problem: str, after: str, status: int) -> Response:
    body = _FORM.format(problem=escape(problem), after=escape(after))
    return HTMLResponse(_PAGE.format(head="", body=body), status)


def _again(after: str, status: int) -> Response:
    """A page that goes on to another of ours by itself.

    No redirect: if a link on another site led here, the browser would not send the strict cookie along with that either. To what
    our own page asks for it does, and who is not logged in gets the form then.
    """
    where = escape(after if _is_path(after) else "/")
    head = f'<meta http-equiv="refresh" content="0; url={where}">\n'
    return HTMLResponse(_PAGE.format(head=head, body=f'<p><a href="{where}">sttd</a></p>\n'), status)


async def _fields(request: Request) -> dict[str, str]:
    """The fields of a form, of a common length."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode("ascii", "replace")).items()}


def _is_path(after: str) -> bool:
    """Whether it leads to a page of ours: with a second slash or backslash at its start it leads to another site."""
    return after.startswith("/") and not after.startswith(("//", "/\\")) and after.isprintable()
