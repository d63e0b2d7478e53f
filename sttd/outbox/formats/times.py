"""When each piece of a text was said: by the words' times where they are known, else evenly."""

from __future__ import annotations

import bisect

from sttd.outbox.formats.base import line, milliseconds
from sttd.part import Segment
from sttd.script import width

_SLOWEST = 4.0  # columns a second: slower speech has pauses, and nobody knows where they are without the words' times


class Times:
    """When each piece of a segment's text is said: by its words, or else evenly."""

    def __init__(self, segment: Segment, text: str) -> None:
        first, last = milliseconds(segment.start), milliseconds(segment.end)
        self._seen = [0]  # characters that are no space before each index of the text
        for char in text:
            self._seen.append(self._seen[-1] + (char != " "))
        words = [
            (len(line(word.word).replace(" ", "")), milliseconds(word.start), milliseconds(word.end))
            for word in segment.words
        ]
        if not any(count for count, _, _ in words):
            words = [(self._seen[-1], first, min(max(last, first), first + round(width(text) / _SLOWEST * 1000)))]
        self._marks = [0.0]  # characters before each word, as many as the text has
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
        """When the text before `index` has been said."""
        seen = self._seen[index]
        return self._at(max(bisect.bisect_left(self._marks, seen) - 1, 0), seen)

    def _at(self, word: int, seen: int) -> int:
        start, end = self._spans[word]
        first, last = self._marks[word], self._marks[word + 1]
        return start if last <= first else round(start + (end - start) * (seen - first) / (last - first))
