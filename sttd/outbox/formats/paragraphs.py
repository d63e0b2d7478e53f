"""Segments as paragraphs: where somebody paused after a sentence, so that a long text can be read. A stream, and pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sttd.outbox.formats.base import line, milliseconds
from sttd.outbox.formats.breaks import ends_sentence
from sttd.part import Segment
from sttd.script import THAI, script_of, width

_PAUSE = 2_000  # milliseconds of silence behind a sentence that end a paragraph, and
_BREATH = 500  # behind one in a paragraph that is
_LONG = 600  # columns long: some eight lines of a page
_REST = 6_000  # milliseconds of silence that end one in mid-sentence
_ENDLESS = 3_000  # columns; where no sentence ends, or nobody pauses


@dataclass(frozen=True, slots=True)
class Paragraph:
    start: int  # milliseconds
    text: str  # one line that is not empty


def paragraphs(segments: Iterator[Segment]) -> Iterator[Paragraph]:
    """The paragraphs of a transcript, in order."""
    start, end, text, columns = 0, 0, "", 0
    for segment in segments:
        more = line(segment.text)
        if not more:
            continue
        begin = milliseconds(segment.start)
        if text and _parts(text, columns, begin - end):
            yield Paragraph(start, text)
            text, columns = "", 0
        start = start if text else begin
        between = _between(text, more)
        text = f"{text}{between}{more}"
        columns += len(between) + width(more)
        end = max(milliseconds(segment.end), begin)
    if text:
        yield Paragraph(start, text)


def _parts(text: str, columns: int, pause: int) -> bool:
    """Whether a paragraph ends with `text`, so many columns long, where nobody speaks for `pause` milliseconds."""
    # Whisper writes no full stops in Thai, Lao, Khmer and Burmese
    if ends_sentence(text) or script_of(text[-20:]) is THAI:
        return pause >= (_PAUSE if columns < _LONG else _BREATH) or columns >= _ENDLESS
    return pause >= _REST or columns >= 2 * _ENDLESS


def _between(before: str, after: str) -> str:
    """What parts two segments of a paragraph: nothing behind a wide mark of punctuation, which has its space in it."""
    if not before or (width(before[-1]) == 2 and not before[-1].isalnum() and width(after[0]) == 2):
        return ""
    return " "
