"""Makes subtitles of segments: divides long ones, joins very short ones, shows each long enough to be read. A stream, and pure.

The parts of a divided segment get the times of their words, if these are known (the worker finds them for every segment that
is too long for one subtitle), else times in proportion to their text.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from sttd.config import Subtitles
from sttd.outbox.formats.base import line, milliseconds
from sttd.outbox.formats.breaks import ends_sentence
from sttd.outbox.formats.layout import Layout
from sttd.outbox.formats.speakers import by_time, label
from sttd.outbox.formats.times import Times
from sttd.part import Segment
from sttd.script import script_of, width

_NEAR = 300  # milliseconds; after a pause up to this, a short rest is joined to the text before it
_ANSWER = 12  # columns: a word or two, which can be shown with the sentence before them


@dataclass(frozen=True, slots=True)
class Cue:
    start: int  # milliseconds
    end: int  # milliseconds, always after `start`
    text: str  # one line that is not empty
    lines: tuple[str, ...]  # the text in lines, with room for the speaker's label in the first one
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class _Piece:
    """The text of one subtitle, not yet divided into lines."""

    start: int  # milliseconds: when it begins to be said
    end: int  # milliseconds
    text: str
    goes_on: bool = False  # it continues the segment of the piece before it


def cues(segments: Iterator[Segment], limits: Subtitles) -> Iterator[Cue]:
    """The subtitles in order of time; those of one speaker never overlap."""
    return by_time(segments, functools.partial(_Cues, limits))


class _Cues:
    """The cues of one speaker."""

    def __init__(self, limits: Subtitles, speaker: str) -> None:
        self._limits = limits
        self._speaker = line(speaker)
        self._room = width(label(speaker))  # columns before the words
        self._piece: _Piece | None = None

    @property
    def held(self) -> int | None:
        return None if self._piece is None else self._piece.start

    def feed(self, segment: Segment) -> Iterator[Cue]:
        for piece in self._pieces(segment):
            held = self._piece
            together = piece if held is None else self._join(held, piece)
            if held is not None and together is None:
                start = max(piece.start, held.start + 1)
                yield self._shown(held, start)
                together = _Piece(start, max(piece.end, start + 1), piece.text)
            self._piece = together

    def release(self, now: int | None) -> Iterator[Cue]:
        held = self._piece
        if held is not None and (now is None or now - held.start > self._limits.longest * 1000):
            yield self._shown(held, None)
            self._piece = None

    def _pieces(self, segment: Segment) -> Iterator[_Piece]:
        """The segment, divided if it is too long for one subtitle."""
        text, limits = line(segment.text), self._limits
        layout, start, end = self._layout(text), milliseconds(segment.start), milliseconds(segment.end)
        # without the times of its words a segment that fits stays whole: it would be spread over what may be silence
        if layout.fits() and (end - start <= limits.longest * 1000 or not segment.words):
            yield _Piece(start, max(end, start + 1), text)
            return
        times = Times(segment, text)
        for piece in layout.divide(times.start, times.end):
            yield _Piece(piece.start, max(piece.end, piece.start + 1), text[piece.first : piece.last], piece.first > 0)

    def _join(self, one: _Piece, other: _Piece) -> _Piece | None:
        """Both as one piece, if one of them is shown too briefly to be read and they fit together; else None.

        The parts of a divided segment are not joined again: that division was the best one.
        """
        shortest, longest = self._limits.shortest * 1000, self._limits.longest * 1000
        is_hasty = other.start - one.start < shortest
        is_tail = other.end - other.start < shortest and other.start - one.end <= _NEAR
        is_tail = is_tail and (width(other.text) <= _ANSWER or not ends_sentence(one.text))
        if other.goes_on or not (is_hasty or is_tail) or max(one.end, other.end) - one.start > longest:
            return None
        together = _Piece(one.start, max(one.end, other.end), f"{one.text} {other.text}")
        return together if self._layout(together.text).fits() else None

    def _shown(self, piece: _Piece, until: int | None) -> Cue:
        """The piece as a cue. `until`: when the next one begins; None: not known, or none follows."""
        limits = self._limits
        needed = max(limits.shortest, width(piece.text) / limits.speed(script_of(piece.text))) * 1000
        end = min(max(piece.end, piece.start + round(needed)), piece.start + round(limits.longest * 1000))
        end = end if until is None else min(end, until)
        lines = tuple(self._layout(piece.text).lines())
        return Cue(piece.start, max(end, piece.start + 1), piece.text, lines, self._speaker)

    def _layout(self, text: str) -> Layout:
        return _layout(text, self._limits, self._room)


@functools.lru_cache(maxsize=8)
def _layout(text: str, limits: Subtitles, before: int) -> Layout:
    """The layout of a text, cached: it is needed when the segment comes, when it is joined and when it is shown."""
    return Layout(text, limits, before)
