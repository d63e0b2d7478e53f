"""Divides a text into subtitles, and each subtitle into lines. Pure.

Both are done in the same way: of all ways to divide the text at its breaks, the one with the lowest price is taken. The price
depends on where the text is broken (breaks.py), how uneven the pieces are, and for subtitles on the times: a pause is a good
border, and a subtitle shorter than `Subtitles.shortest` is bad.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sttd.config import Subtitles
from sttd.outbox.formats.breaks import PHRASE, Break, breaks
from sttd.script import LATIN, SCRIPTS, Script, leading, script_of_letter, width_of

_EACH = 12.0  # price of each subtitle
_UNEVEN = 20.0  # factor for the square of how far a piece is from its best width, as a share of the room
_HASTY = 30.0  # price of a subtitle that is shown for no time at all; less for one that is merely short
_PAUSE = 10.0  # taken off the price of a border for each second of a pause there,
_MOST_OFF = 6.0  # but no more than this
_STRAY = 8.0  # price of a break that separates a few words from the rest of their sentence or phrase
_TOP = 4.0  # factor for the width of an upper line over the mean: the lower line should be the longer one
_FORCED = 1e6  # price of a piece that is over the limits, but cannot be divided


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text, with when it is said; milliseconds."""

    first: int
    last: int
    start: int
    end: int


class Layout:
    """A text of one line, with the widths of all its pieces measured once.

    `before`: columns in the first line of each subtitle that the speaker's name takes.
    """

    def __init__(self, text: str, limits: Subtitles, before: int = 0) -> None:
        self.text = text
        self._limits = limits
        scripts = [name for name, count in _counts(text).items() if count]
        self._only = scripts[0] if len(scripts) == 1 else None  # the only script of the text, if there is just one
        self._columns = {name: limits.columns(script) for name, script in SCRIPTS.items()}
        most = min(self._columns[name] for name in (*scripts, LATIN.name))
        self._before = min(before, most // 2)
        self._breaks: Sequence[Break] = (Break(0, 0, 0.0), *breaks(text, most), Break(len(text), len(text), 0.0))
        self._ends = [0] * len(self._breaks)  # for each break, the columns of the text before it, without the space
        self._starts = [0] * len(self._breaks)  # the same with the space
        # for each break within a phrase, the breaks at both ends of that phrase; for one at an end of a phrase, itself twice
        ends = [number for number, place in enumerate(self._breaks) if place.price <= PHRASE]
        self._phrases = [
            (ends[bisect.bisect_right(ends, number) - 1], ends[bisect.bisect_left(ends, number)])
            for number in range(len(self._breaks))
        ]
        self._letters = [dict.fromkeys(SCRIPTS, 0)]  # columns of letters before each break, by script
        self._measure()

    def _measure(self) -> None:
        columns, at = 0, 0
        counts = self._letters[0]
        for number, place in enumerate(self._breaks):
            columns += sum(map(width_of, self.text[at : place.end]))
            self._ends[number] = columns
            columns += sum(map(width_of, self.text[place.end : place.start]))
            self._starts[number] = columns
            if number:
                more = _counts(self.text[at : place.start])
                counts = {name: count + more[name] for name, count in counts.items()}
                self._letters.append(counts)
            at = place.start

    def fits(self) -> bool:
        """Whether the whole text fits into one subtitle."""
        return self._lines(0, len(self._breaks) - 1) <= self._limits.lines

    def lines(self) -> list[str]:
        """The text in as few lines as possible, at the best breaks. A line is too wide only if it cannot be divided."""
        first, last = 0, len(self._breaks) - 1
        count = self._lines(first, last)
        room = self._room(first, last)
        mean = (self._width(first, last) + self._before) / count

        def price(one: int, other: int) -> float:
            width = self._width(one, other) + (self._before if one == first else 0)
            if width > room:
                return _FORCED if other == one + 1 else math.inf
            uneven = (width - mean) / room
            top = _TOP * max(0.0, uneven) if other != last else 0.0
            return self._border(one, other) + _UNEVEN * uneven * uneven + top

        return [self._text(one, other) for one, other in _divide(last, price, count)]

    def divide(self, start: Callable[[int], int], end: Callable[[int], int]) -> list[Span]:
        """Divide the text into pieces that each fit into one subtitle, and are not longer than one may be shown.

        Args:
            start: gives the time at which the text from an index on begins to be said; milliseconds.
            end: gives the time at which the text up to an index has been said; milliseconds.
        """
        last = len(self._breaks) - 1
        starts = [start(place.start) for place in self._breaks[:-1]]
        ends = [0, *(end(place.end) for place in self._breaks[1:])]
        shortest, longest = self._limits.shortest * 1000, self._limits.longest * 1000

        def price(one: int, other: int) -> float:
            length = ends[other] - starts[one]
            count = self._lines(one, other)
            if length > longest or count > self._limits.lines:
                return _FORCED if other == one + 1 else math.inf
            inner = self._inner(one, other) if count == 2 else 0.0
            hasty = _HASTY * max(0.0, 1 - length / shortest) if shortest else 0.0
            slack = 1 - (self._width(one, other) + self._before) / (self._limits.lines * self._room(one, other))
            pause = max(0, starts[other] - ends[other]) / 1000 if other != last else 0.0
            border = self._border(one, other) - min(_MOST_OFF, _PAUSE * pause)
            return _EACH + border + inner + hasty + _UNEVEN * slack * slack

        return [
            Span(self._breaks[one].start, self._breaks[other].end, starts[one], max(ends[other], starts[one]))
            for one, other in _divide(last, price)
        ]

    def _border(self, first: int, last: int) -> float:
        """The price of the break at the end of a piece, and more if either end separates a few words from their phrase."""
        price, end, begin = self._breaks[last].price, self._phrases[first][1], self._phrases[last][0]
        if not (first < end < last or first < begin < last):
            return price
        few = self._room(first, last) // 3
        if first < end < last and self._ends[end] - self._starts[first] < few:
            price += _STRAY
        if first < begin < last and self._ends[last] - self._starts[begin] < few:
            price += _STRAY
        return price

    def _inner(self, first: int, last: int) -> float:
        """The price of the best break between the two lines of a piece."""
        room = self._room(first, last)
        lowest = bisect.bisect_left(self._starts, self._ends[last] - room, first + 1, last - 1)
        highest = bisect.bisect_right(self._ends, self._starts[first] + room - self._before, lowest, last)
        return min((self._border(first, at) for at in range(lowest, highest)), default=0.0)

    def _lines(self, first: int, last: int) -> int:
        """How many lines a piece needs at least. A part that cannot be divided needs one, whatever its width."""
        room, count = self._room(first, last), 0
        left = room - self._before
        while first < last:
            count += 1
            if count > self._limits.lines:
                break
            # the last break whose line has room
            fitting = bisect.bisect_right(self._ends, self._starts[first] + left, first + 1, last + 1) - 1
            first, left = max(fitting, first + 1), room
        return count

    def _room(self, first: int, last: int) -> int:
        """The columns of a line, which depend on the script of most letters of a piece."""
        before, after = self._letters[first], self._letters[last]
        if self._only is not None:
            return self._columns[self._only if after[self._only] > before[self._only] else LATIN.name]
        return self._columns[leading({name: after[name] - before[name] for name in after}).name]

    def _width(self, first: int, last: int) -> int:
        return self._ends[last] - self._starts[first]

    def _text(self, first: int, last: int) -> str:
        return self.text[self._breaks[first].start : self._breaks[last].end]


def _counts(text: str) -> dict[str, int]:
    """Columns of the letters of a text by script."""
    counts = dict.fromkeys(SCRIPTS, 0)
    if text.isascii():
        counts[LATIN.name] = sum(map(str.isalpha, text))
        return counts
    for char in text:
        script: Script | None = script_of_letter(char)
        if script is not None:
            counts[script.name] += width_of(char)
    return counts


def _divide(last: int, price: Callable[[int, int], float], count: int = 0) -> list[tuple[int, int]]:
    """The cheapest path from place 0 to place `last`, as pairs of places.

    Args:
        last: number of the last place.
        price: of a step from one place to a later one. Infinite if a step is impossible: then all longer steps are too. Never
            infinite for a step to the next place.
        count: the number of steps; 0: any.
    """
    rounds = range(1, count + 1) if count else range(1)
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for _ in rounds:
        ways = best[-1] if not count else {}
        for one in range(last):
            reached = best[-1].get(one)
            if reached is None:
                continue
            for other in range(one + 1, last + 1):
                cost = price(one, other)
                if cost == math.inf:
                    break
                if other not in ways or reached[0] + cost < ways[other][0]:
                    ways[other] = (reached[0] + cost, one)
        best.append(ways)
    pairs: list[tuple[int, int]] = []
    at, layer = last, len(best) - 1
    while at:
        before = best[layer][at][1]
        pairs.append((before, at))
        at, layer = before, layer - 1 if count else layer
    return pairs[::-1]
