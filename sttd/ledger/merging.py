"""Chunks of several channels, which come as they were transcribed, as one stream of segments by time; pure."""

from __future__ import annotations

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
    waiting: dict[int, deque[Segment]] = {channel: deque() for channel in ends}
    for chunk in chunks:
        waiting[chunk.channel].extend(chunk.segments)
        ends[chunk.channel] = chunk.end
        least = min(ends.values())  # what comes later begins there or behind it
        while (channel := _first(waiting)) is not None and waiting[channel][0].start * SAMPLE_RATE < least:
            yield waiting[channel].popleft()
    while (channel := _first(waiting)) is not None:
        yield waiting[channel].popleft()


def _first(waiting: dict[int, deque[Segment]]) -> int | None:
    """The channel whose next segment begins first; of equals the first one."""
    begins = ((segments[0].start, channel) for channel, segments in waiting.items() if segments)
    return min(begins, default=(0.0, None))[1]
