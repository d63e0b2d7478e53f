"""Merges chunks of several channels, in the order they were transcribed, into one stream of segments by time; pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator

from sttd.part import SAMPLE_RATE, Chunk, Segment


def by_time(chunks: Iterable[Chunk], channels: Iterable[int]) -> Iterator[Segment]:
    """The segments in the order in which they begin; within a channel the order is kept.

    Segments beyond the end of the slowest channel are held back: a few minutes of text, however long the recording is.

    Args:
        chunks: those of each channel follow each other without a gap.
        channels: all that there are.
    """
    ends = dict.fromkeys(channels, 0)
    merged = Merged()
    for chunk in chunks:
        merged.add(chunk)
        ends[chunk.channel] = chunk.end
        yield from merged.before(min(ends.values()))  # later segments begin there or after it
    yield from merged.before(math.inf)


class Merged:
    """Chunks go in one by one, segments come out by time; those that are held back are in memory."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[Segment]] = {}  # by channel

    def add(self, chunk: Chunk) -> None:
        """Add the next chunk of its channel."""
        self._waiting.setdefault(chunk.channel, deque()).extend(chunk.segments)

    def before(self, sample: float) -> Iterator[Segment]:
        """Take out the segments that begin before `sample`, by time."""
        while (channel := self._first()) is not None and self._waiting[channel][0].start * SAMPLE_RATE < sample:
            yield self._waiting[channel].popleft()

    def _first(self) -> int | None:
        """The channel whose next segment begins first; the lowest of several."""
        begins = ((segments[0].start, channel) for channel, segments in self._waiting.items() if segments)
        return min(begins, default=(0.0, None))[1]
