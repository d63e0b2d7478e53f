"""Makes rows of a table of segments. A stream, and pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sttd.outbox.formats.base import line, milliseconds
from sttd.outbox.formats.speakers import by_time
from sttd.part import Segment


class Row(NamedTuple):
    """A segment with whole milliseconds, and an end after its start."""

    start: int  # milliseconds
    end: int  # milliseconds, always after `start`
    text: str  # one line that is not empty
    speaker: str = ""


def rows(segments: Iterator[Segment]) -> Iterator[Row]:
    """The rows in order of time, each at least a millisecond long. Empty segments are left out.

    Where segments of one speaker overlap, the earlier one ends when the later one begins.
    """
    return by_time(segments, _Rows)


class _Rows:
    def __init__(self, speaker: str) -> None:
        self._speaker = line(speaker)
        self._last: Row | None = None

    @property
    def held(self) -> int | None:
        return None if self._last is None else self._last.start

    def feed(self, segment: Segment) -> Iterator[Row]:
        start, end = milliseconds(segment.start), milliseconds(segment.end)
        if self._last is not None:
            start = max(start, self._last.start + 1)
            yield self._last._replace(end=min(self._last.end, start))
        self._last = Row(start, max(end, start + 1), line(segment.text), self._speaker)

    def release(self, now: int | None) -> Iterator[Row]:
        if self._last is not None and (now is None or now >= self._last.end):
            yield self._last
            self._last = None
