"""Segments as subtitles: long ones divided, hasty ones joined, each shown for as long as it takes to read. A stream, and pure.

What a segment says is divided where its words were said, if their times are known (the worker finds them out for every
segment that is too long for one subtitle), else by the share of its text.
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

_NEAR = 300  # milliseconds of silence that do not divide what is said
_ANSWER = 12  # columns: a word or two, which are read with the sentence before them


@dataclass(frozen=True, slots=True)
class Cue:
    start: int  # milliseconds
    end: int  # milliseconds, always after `start`
    text: str  # one line that is not empty, and
    lines: tuple[str, ...]  # the same as it is laid out, with room for the speaker's label in the first one
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is shown together, not yet laid out."""

    start: int  # milliseconds, as the two others: when it is said
    end: int
    text: str
    goes_on: bool = False  # with the segment that the one before it has begun


def cues(segments: Iterator[Segment], limits: Subtitles) -> Iterator[Cue]:
    """What is shown when: in order, and of one speaker never two at once."""
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
        """A segment, divided where it is too much for one subtitle."""
        text, limits = line(segment.text), self._limits
        layout, start, end = self._layout(text), milliseconds(segment.start), milliseconds(segment.end)
        # where nobody knows when the words were said, they are not spread over what may be silence
        if layout.fits() and (end - start <= limits.longest * 1000 or not segment.words):
            yield _Piece(start, max(end, start + 1), text)
            return
        times = Times(segment, text)
        for piece in layout.divide(times.start, times.end):
            yield _Piece(piece.start, max(piece.end, piece.start + 1), text[piece.first : piece.last], piece.first > 0)

    def _join(self, one: _Piece, other: _Piece) -> _Piece | None:
        """Both as one, where one of them would be gone before it can be read, and both have room; else None.

        What was divided stays so: that was the best that could be done with it.
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
        """`until`: when the next one begins; None: never."""
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
    """A text is asked about when it is read, when it is joined and when it is shown."""
    return Layout(text, limits, before)
