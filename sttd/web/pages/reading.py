"""A transcript as it is read on the page: paragraphs of segments of words, each with the second at which it is said. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sttd.languages import language_of
from sttd.outbox.formats.base import line, milliseconds
from sttd.outbox.formats.paragraphs import Joiner
from sttd.outbox.formats.times import Times
from sttd.part import Segment
from sttd.web.words import borders


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word, or as much as can be told apart of a script without spaces."""

    text: str  # with the space behind it
    start: float  # seconds


@dataclass(frozen=True, slots=True)
class Said:
    """A segment."""

    number: int
    between: str  # what separates it from the segment before it
    start: float  # seconds
    end: float
    language: str  # "": not known
    words: tuple[Spoken, ...]
    is_exact: bool  # the times of its words are known, and not guessed


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph."""

    start: float  # seconds
    speaker: str
    said: tuple[Said, ...]


def passages(segments: Iterable[Segment], first: int) -> Iterator[Passage]:
    """Paragraphs of segments, which are numbered from `first`."""
    joiner = Joiner()
    found: list[Said] = []
    speaker = ""
    for number, segment in enumerate(segments, first):
        piece = joiner.add(segment)
        if piece is None:
            continue
        if piece.begins and found:
            yield Passage(found[0].start, speaker, tuple(found))
            found = []
        speaker = line(piece.speaker)
        found.append(_said(number, segment, piece.text, "" if piece.begins else piece.between))
    if found:
        yield Passage(found[0].start, speaker, tuple(found))


def _said(number: int, segment: Segment, text: str, between: str) -> Said:
    times = Times(segment, text)
    starts = [0, *borders(text)]
    words = tuple(
        Spoken(text[first:last], times.start(first) / 1000)
        for first, last in zip(starts, [*starts[1:], len(text)], strict=True)
    )
    language = segment.language if language_of(segment.language) else ""
    begin, end = milliseconds(segment.start) / 1000, milliseconds(segment.end) / 1000
    return Said(number, between, begin, max(end, begin), language, words, bool(segment.words))


def bars(starts: Iterable[float], ends: Iterable[float], length: float, count: int) -> list[float]:
    """How much of each of `count` equal stretches of a recording is speech, 0 to 1.

    Args:
        starts: of the segments, in seconds.
        ends: of the same.
        length: of the recording, in seconds.
        count: of stretches.
    """
    filled = [0.0] * count
    if length <= 0:
        return filled
    width = length / count
    for start, end in zip(starts, ends, strict=True):
        for stretch in range(max(0, int(start / width)), min(count, int(end / width) + 1)):
            filled[stretch] += max(0.0, min(end, (stretch + 1) * width) - max(start, stretch * width))
    return [min(1.0, each / width) for each in filled]
