"""From a time within a window's joined speech to the time in the recording; pure."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from sttd.part import SAMPLE_RATE

# Whisper's time stamps are off by about 0.2 s, and the spans have about 0.4 s of quiet at either end: a start this
# near before a joint belongs to the speech after it, an end this near behind one to the speech before it. Without
# this a subtitle would stay on the screen through the silence that was cut out.
NEAR = round(0.3 * SAMPLE_RATE)
# A cut of this length or more is a break: no segment reaches across it.
BREAK = SAMPLE_RATE


class Places:
    """Where the pieces of a window's audio lie in the recording."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        """`spans`: first sample and the sample after the last of each piece, in order and without overlap."""
        self._spans = spans
        self._joints = [0]  # sample of the window's audio where each span begins, and at last where all end
        self._sections: list[int] = []  # of each span: how many breaks are before it
        before = spans[0][0] if spans else 0
        for start, end in spans:
            self._joints.append(self._joints[-1] + end - start)
            self._sections.append((self._sections[-1] if self._sections else 0) + (start - before >= BREAK))
            before = end

    def segment(self, start: float, end: float) -> tuple[float, float]:
        """A segment's start and end in the recording; `start` and `end` are in the window's audio. All are seconds."""
        (first, after), (last, before) = self._ends(start, end)
        return self._place(first, after), self._place(max(first, last), before)

    def bridges(self, start: float, end: float) -> bool:
        """Whether a break is within the segment."""
        (_, after), (_, before) = self._ends(start, end)
        return self._sections[after] != self._sections[before]

    def word(self, start: float, end: float) -> tuple[float, float]:
        """As `segment`, for a word, which lies in one span: the one that holds its middle."""
        first, last = self._sample(start), self._sample(end)
        span = self._span((first + last) // 2)
        low, high = self._joints[span], self._joints[span + 1]
        return self._place(min(max(first, low), high), span), self._place(min(max(last, low), high), span)

    def section(self, start: float, end: float) -> int:
        """How many breaks are before a word."""
        return self._sections[self._span((self._sample(start) + self._sample(end)) // 2)]

    def _ends(self, start: float, end: float) -> tuple[tuple[int, int], tuple[int, int]]:
        """The first and the last sample of a segment, each with the span that it belongs to."""
        first, last = self._sample(start), self._sample(end)
        after = self._span(first)
        if self._gap(after + 1) and self._joints[after + 1] - first <= NEAR and last > self._joints[after + 1]:
            after += 1
            first = self._joints[after]
        before = max(after, self._span(last - 1))
        if before > after and self._gap(before) and last - self._joints[before] <= NEAR:
            before -= 1
            last = self._joints[before + 1]
        return (first, after), (last, before)

    def _sample(self, seconds: float) -> int:
        return min(max(round(seconds * SAMPLE_RATE), 0), self._joints[-1])

    def _span(self, sample: int) -> int:
        """Index of the span that holds `sample` of the window's audio; the last one where it is the end."""
        return min(max(bisect.bisect_right(self._joints, sample) - 1, 0), len(self._spans) - 1)

    def _gap(self, span: int) -> bool:
        """Whether something was cut out before `span`."""
        return span < len(self._spans) and self._spans[span][0] > self._spans[span - 1][1]

    def _place(self, sample: int, span: int) -> float:
        return round((self._spans[span][0] + sample - self._joints[span]) / SAMPLE_RATE, 3)
