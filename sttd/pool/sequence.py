"""Checks that the chunks of a part follow each other: one that does not must not reach the checkpoint.

The worker checks its own chunks, and the pool checks them again: a worker may be broken or taken over.
"""

from __future__ import annotations

import math

from sttd.part import SAMPLE_RATE, Chunk, Chunks, PartSpec

MOST_CHANNELS = 8  # that are kept apart; see worker/audio/apart.py
_LEEWAY = 3600 * SAMPLE_RATE  # samples beyond `limits.max_audio`, which the worker itself enforces


class OutOfOrder(Exception):
    """The message says which chunk does not follow, and what was due."""


class Sequence:
    """The chunks of one attempt.

    In every part but the first, the first chunk may begin anywhere from the planned border on: the worker finds the place.
    """

    def __init__(self, part: PartSpec) -> None:
        self._index, self._start = part.next_index, None if part.number else part.start
        self._border = round(part.number * part.share.length * SAMPLE_RATE) if part.share else part.start
        longest = part.options.max_audio * SAMPLE_RATE
        self._last = part.end or (longest + _LEEWAY if math.isfinite(longest) else math.inf)
        self._ends = {channel: place.sample for channel, place in part.places.items()}
        self.has_moved = False  # there was a chunk

    def check(self, event: Chunks) -> None:
        """Raises OutOfOrder."""
        for chunk in event.chunks:
            self._follow(chunk)
        if not 0 <= event.done <= max(self._ends.values(), default=0):
            raise OutOfOrder(f"chunks up to {max(self._ends.values())} say that all is done up to {event.done}")

    def _follow(self, chunk: Chunk) -> None:
        due = self._ends.get(chunk.channel, self._start)
        is_due = chunk.start == due if due is not None else chunk.start >= self._border
        if chunk.index != self._index or not is_due:
            due = self._border if due is None else due
            raise OutOfOrder(f"chunk {chunk.index} from {chunk.start} does not follow {self._index} at {due}")
        if not chunk.start < chunk.end <= self._last:
            raise OutOfOrder(f"chunk {chunk.index} goes from {chunk.start} to {chunk.end}")
        if not 0 <= chunk.channel <= MOST_CHANNELS:
            raise OutOfOrder(f"chunk {chunk.index} is of channel {chunk.channel}")
        self._index, self._ends[chunk.channel], self.has_moved = chunk.index + 1, chunk.end, True
