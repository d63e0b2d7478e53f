"""Chunks of several channels, which come as they were transcribed, as one stream of segments by time; pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator

from sttd.part import SAMPLE_RATE, Chunk, Segment


def by_time(chunks: Iterable[Chunk], channels: Iterable[int]) -> Iterator[Segment]:
    """The segments in the order in which they begin; those of one channel stay in theirs.

    Held back is what lies before the channel that is least far, a few minutes of text, whatever the length of the recording.

    Args:
        chunks: those of each channel follow each other without a gap.
        channels: all that there are.
    """
    ends = dict.fromkeys(channels, 0)
    merged = Merged()
    for chunk in chunks:
        merged.add(chunk)
        ends[chunk.channel] = chunk.end
        yield from merged.before(min(ends.values()))  # what comes later begins there or behind it
    yield from merged.before(math.inf)


class Merged:
    """The segments of chunks that come one by one; those that are held back are in memory."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[Segment]] = {}  # by channel

    def add(self, chunk: Chunk) -> None:
        """A chunk; of its channel the next one."""
        self._waiting.setdefault(chunk.channel, deque()).extend(chunk.segments)

    def before(self, sample: float) -> Iterator[Segment]:
        """Those that begin before a sample, by time; they are held back no more."""
        while (channel := self._first()) is not None and self._waiting[channel][0].start * SAMPLE_RATE < sample:
            yield self._waiting[channel].popleft()

    def _first(self) -> int | None:
        """The channel whose next segment begins first; of equals the first one."""
        begins = ((segments[0].start, channel) for channel, segments in self._waiting.items() if segments)
        return min(begins, default=(0.0, None))[1]
