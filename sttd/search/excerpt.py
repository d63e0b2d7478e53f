"""The piece of a transcript that is shown for a hit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sttd.search.atoms import placed
from sttd.search.phrases import Phrase, marks
from sttd.search.transcript import Said

LENGTH = 240  # characters
_BEFORE = 80  # of them before the first match, if the text is longer
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text, and its stretches that match the query: start and end of each in characters, without overlaps, in order."""

    text: str
    marks: tuple[tuple[int, int], ...]


def excerpt(said: Sequence[Said], wanted: Sequence[Phrase]) -> Excerpt:
    """The text of neighbouring segments, cut to a length for reading, between atoms."""
    text = " ".join(" ".join(segment.text.split()) for segment in said)
    inside = list(placed(text))
    found = marks(inside, wanted)
    start, end = 0, len(text)
    if len(text) > LENGTH:
        first = found[0][0] if found else 0
        borders = [0, *(each.start for each in inside), len(text)]
        least = max(0, min(first - _BEFORE, len(text) - LENGTH))
        start = next(at for at in borders if at >= least)
        start = min(start, first)
        end = max((at for at in borders if at <= start + LENGTH), default=start)
        end = end if end > start else len(text)
    before = _CUT if start > 0 else ""
    shown = f"{before}{text[start:end].rstrip()}{_CUT if end < len(text) else ''}"
    shift = start - len(before)
    return Excerpt(
        shown, tuple((max(a, start) - shift, min(b, end) - shift) for a, b in found if a < end and b > start)
    )
