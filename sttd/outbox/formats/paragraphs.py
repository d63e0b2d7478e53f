"""Makes paragraphs of segments: a new one begins with another speaker, or after a pause between sentences. A stream, and pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sttd.outbox.formats.base import line, milliseconds
from sttd.outbox.formats.breaks import ends_sentence
from sttd.part import Segment
from sttd.script import THAI, script_of, width

_PAUSE = 2_000  # milliseconds of silence after a sentence that end a paragraph
_BREATH = 500  # the same for a paragraph that is already long
_LONG = 600  # columns of such a long paragraph: some eight lines of a page
_REST = 6_000  # milliseconds of silence that end a paragraph even within a sentence
_ENDLESS = 3_000  # columns after which a paragraph ends at the next sentence without a pause; at twice that, anywhere


@dataclass(frozen=True, slots=True)
class Paragraph:
    start: int  # milliseconds
    text: str  # one line that is not empty
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """The text that a segment adds."""

    start: int  # milliseconds
    begins: bool  # whether it begins a paragraph
    between: str  # what separates it from the piece before it in its paragraph
    text: str  # one line that is not empty
    speaker: str = ""


class Joiner:
    """Makes paragraphs of segments that come one by one."""

    def __init__(self) -> None:
        self._text, self._columns, self._end, self._speaker = "", 0, 0, ""  # the paragraph so far

    def add(self, segment: Segment) -> Piece | None:
        """The text that a segment adds; None if it is empty. Segments come in order."""
        more = line(segment.text)
        if not more:
            return None
        start = milliseconds(segment.start)
        is_other = segment.speaker != self._speaker
        begins = not self._text or is_other or _is_apart(self._text, self._columns, start - self._end)
        if begins:
            self._text, self._columns, self._speaker = "", 0, segment.speaker
        between = _between(self._text, more)
        self._text = f"{self._text}{between}{more}"
        self._columns += len(between) + width(more)
        self._end = max(milliseconds(segment.end), start)
        return Piece(start, begins, between, more, segment.speaker)


def paragraphs(segments: Iterator[Segment]) -> Iterator[Paragraph]:
    """The paragraphs of a transcript, in order."""
    joiner = Joiner()
    start, text, speaker = 0, "", ""
    for piece in filter(None, map(joiner.add, segments)):
        if piece.begins:
            if text:
                yield Paragraph(start, text, speaker)
            start, text, speaker = piece.start, piece.text, piece.speaker
        else:
            text += piece.between + piece.text
    if text:
        yield Paragraph(start, text, speaker)


def _is_apart(text: str, columns: int, pause: int) -> bool:
    """Whether a paragraph ends after `text`, which has so many columns, and a pause of `pause` milliseconds."""
    # Whisper writes no full stops in Thai, Lao, Khmer and Burmese
    if ends_sentence(text) or script_of(text[-20:]) is THAI:
        return pause >= (_PAUSE if columns < _LONG else _BREATH) or columns >= _ENDLESS
    return pause >= _REST or columns >= 2 * _ENDLESS


def _between(before: str, after: str) -> str:
    """The separator of two segments in a paragraph: a space, but none after wide punctuation, which includes its space."""
    if not before or (width(before[-1]) == 2 and not before[-1].isalnum() and width(after[0]) == 2):
        return ""
    return " "
