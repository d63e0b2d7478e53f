"""When each piece of a text was said: by the times of its words if they are known, else spread evenly."""

from __future__ import annotations

import bisect

from sttd.outbox.formats.base import line, milliseconds
from sttd.part import Segment
from sttd.script import width

_SLOWEST = 4.0  # columns a second; slower speech has pauses somewhere, so without word times the text ends earlier


class Times:
    """The times of the pieces of a segment's text."""

    def __init__(self, segment: Segment, text: str) -> None:
        first, last = milliseconds(segment.start), milliseconds(segment.end)
        self._seen = [0]  # for each index of the text, the number of characters before it that are no spaces
        for char in text:
            self._seen.append(self._seen[-1] + (char != " "))
        words = [
            (len(line(word.word).replace(" ", "")), milliseconds(word.start), milliseconds(word.end))
            for word in segment.words
        ]
        if not any(count for count, _, _ in words):
            words = [(self._seen[-1], first, min(max(last, first), first + round(width(text) / _SLOWEST * 1000)))]
        self._marks = [0.0]  # for each word, the characters before it, scaled to the number of characters in the text
        self._spans: list[tuple[int, int]] = []
        share = self._seen[-1] / sum(count for count, _, _ in words)
        at = first
        for count, start, end in words:
            at = max(start, at)
            self._marks.append(self._marks[-1] + count * share)
            self._spans.append((at, max(at, end)))
            at = max(at, end)
        self._marks[-1] = self._seen[-1]

    def start(self, index: int) -> int:
        """When the text from `index` on begins to be said; milliseconds."""
        seen = self._seen[index]
        return self._at(min(bisect.bisect_right(self._marks, seen), len(self._spans)) - 1, seen)

    def end(self, index: int) -> int:
        """When the text before `index` has been said; milliseconds."""
        seen = self._seen[index]
        return self._at(max(bisect.bisect_left(self._marks, seen) - 1, 0), seen)

    def _at(self, word: int, seen: int) -> int:
        start, end = self._spans[word]
        first, last = self._marks[word], self._marks[word + 1]
        return start if last <= first else round(start + (end - start) * (seen - first) / (last - first))
