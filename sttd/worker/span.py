"""The stretch of each channel that a part covers, and its windows.

It goes from the part's border, or from where an earlier attempt stopped, to the next border.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from sttd.part import SAMPLE_RATE, PartSpec
from sttd.worker.speech import side_by_side
from sttd.worker.speech.borders import Border, beginning, between, border, cut, until
from sttd.worker.speech.side_by_side import Blocks
from sttd.worker.speech.windows import Window, lead


class Span:
    """The stretch of one attempt at a part.

    Args:
        spec: the part's orders.
        channels: of the recording, in their order.
        parts: how many the recording has; the last one goes to its end, whatever length the file states.
    """

    def __init__(self, spec: PartSpec, channels: Sequence[int], parts: int) -> None:
        self._spec = spec
        self._begin = _border(spec, spec.number) if spec.number else None
        self._end = _border(spec, spec.number + 1) if spec.number + 1 < parts else None
        self.is_last = self._end is None
        begins, ends = ((each.place / SAMPLE_RATE if each else None) for each in (self._begin, self._end))
        # seconds whose damage this part reports: from where the search for its border begins to where that for the next one does
        self.seconds = begins or 0.0, math.inf if ends is None else ends
        known = {channel: place.sample for channel, place in spec.places.items()}
        default = self._begin.place if self._begin else spec.start
        # by channel: where the next window begins, or while its border is still to be found, where the search for that begins
        self.starts = {channel: known.get(channel, default) for channel in channels}

    @property
    def first(self) -> int:
        """The first sample of the recording that is needed."""
        return min(self._firsts.values())

    @property
    def _firsts(self) -> dict[int, int]:
        firsts = {channel: lead(start) for channel, start in self.starts.items()}
        if self._end is None:
            return firsts
        return {
            channel: min(first, self._end.first) for channel, first in firsts.items()
        }  # a resume may begin later than the search for the end

    def windows(self, blocks: Blocks) -> Iterator[Window]:
        """The part's windows, which tile each channel of it. `blocks` begin at `first`."""
        return side_by_side.side_by_side(blocks, self.starts, self._of_channel, self._firsts)

    def _of_channel(self, blocks: Blocks, channel: int) -> Iterator[Window]:
        start, options = self.starts[channel], self._spec.options
        if self._begin is not None and channel not in self._spec.places:
            found = beginning(blocks, self._begin)
            if found is None:
                return
            start, blocks = found
        if self._end is not None:
            blocks = until(blocks, self._end)
        yield from cut(between(blocks, lead(start)), start, options, side_by_side.bounds(len(self.starts)))


def _border(spec: PartSpec, number: int) -> Border:
    if spec.share is None:
        raise ValueError(f"part {number} of a recording that is not shared out")
    return border(number, spec.share, spec.options)
