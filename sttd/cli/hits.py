"""What a search has found, for a terminal."""

from __future__ import annotations

import time

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from sttd.languages import english_name
from sttd.search import Excerpt, Found, Hit, Passage
from sttd.text import sentence
from sttd.view import plain

_MARK = "bold yellow"
_INDENT = 8  # columns
_ROOM = 60  # columns of text from which on it is indented


def found(hits: Found, width: int, *, within: bool) -> RenderableType:
    """What was said, below a head for each recording.

    Args:
        hits: what was found.
        width: of the screen, in columns.
        within: they are all in one recording.
    """
    indent = _INDENT if width >= _ROOM + _INDENT else 2
    lines: list[RenderableType] = []
    for at, hit in enumerate(hits.hits):
        if at == 0 or not within:
            lines += [Text(), _head(hit)] if at else [_head(hit)]
        if hit.passage is not None:
            lines.append(Padding(_said(hit.passage), (0, 0, 0, indent)))
    return Group(*lines)


def _head(hit: Hit) -> Text:
    about = [plain.nearby(hit.created_at, time.time())]
    about += [] if hit.language == "und" else [english_name(hit.language)]
    about += [f"{hit.places} places"] if hit.places > 1 else []
    text = Text().append(f"{hit.job:>6}  ", "dim")
    return text.append(sentence(hit.source), "bold").append(f"  {' · '.join(about)}", "dim")


def _said(passage: Passage) -> Text:
    """When, and the words around what was asked for."""
    times = Text().append(f"{plain.clock(passage.start)}-{plain.clock(passage.end)}  ", "cyan")
    return times.append_text(_marked(passage.excerpt))


def _marked(excerpt: Excerpt) -> Text:
    """Its text, with what was asked for marked. Each piece is made harmless alone, so that the marks stay where they are."""
    text, last = Text(), 0
    for start, end in excerpt.marks:
        text.append(sentence(excerpt.text[last:start])).append(sentence(excerpt.text[start:end]), _MARK)
        last = end
    return text.append(sentence(excerpt.text[last:]))
