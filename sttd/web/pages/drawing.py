"""Templates to HTML. Whatever is put into one is escaped, unless it is HTML that another template made."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sttd import __version__
from sttd.view import plain
from sttd.web.pages.language import COOKIE, OFFERED, Words, chosen, words

_VARY = {"Vary": "Accept-Language, Cookie"}
_FOLDER = Path(__file__).with_name("templates")


def _iso(utc: float) -> str:
    """For `<time datetime>`; "" where no calendar has that time."""
    try:
        return dt.datetime.fromtimestamp(utc, dt.UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return ""


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    made.filters |= {"iso": _iso, "local": plain.moment, "clock": plain.clock}
    return made


_TEMPLATES = _environment()


def words_of(request: Request) -> Words:
    return words(chosen(request.cookies.get(COOKIE), request.headers.get("accept-language")))


def draw(template: str, language: Words, **values: Any) -> Markup:
    """A fragment of a page."""
    return Markup(_TEMPLATES.get_template(template).render(values | {"_": language}))  # noqa: S704 - made by a template


def page(request: Request, template: str, *, here: str = "", status: int = 200, **values: Any) -> Response:
    """A whole page. `here`: which entry of the navigation it is."""
    query = f"?{request.url.query}" if request.url.query else ""
    common = {"here": here, "offered": OFFERED, "version": __version__, "back": f"{request.url.path}{query}"}
    return HTMLResponse(draw(template, words_of(request), **common | values), status, _VARY)


def fragment(html: Markup) -> Response:
    """A fragment of a page, for a script that puts it in place."""
    return HTMLResponse(html, headers=_VARY)


def number(text: str | None) -> int | None:
    """A number of an address that SQLite takes; None: there is none."""
    if text is None or not (text.isascii() and text.isdecimal()) or len(text) > 18:
        return None
    return int(text)
