"""Several speakers, who may speak at once: each one's segments are handled apart, then merged by time. A stream, and pure."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from sttd.outbox.formats.base import line, milliseconds
from sttd.part import Segment


class Timed(Protocol):
    @property
    def start(self) -> int:
        """Milliseconds."""


T = TypeVar("T", bound=Timed)
T_co = TypeVar("T_co", bound=Timed, covariant=True)


class Track(Protocol[T_co]):
    """Turns one speaker's segments into items (cues or rows), in order. The latest item may still change: it is held back."""

    @property
    def held(self) -> int | None:
        """The start of the item that is held back, in milliseconds; None: there is none."""

    def feed(self, segment: Segment) -> Iterator[T_co]:
        """Take the next segment, which has text; yields the items that are final now."""

    def release(self, now: int | None) -> Iterator[T_co]:
        """Yield the held item if a segment that starts at `now` or later cannot change it; None: no segment follows."""


def by_time(segments: Iterator[Segment], track: Callable[[str], Track[T]]) -> Iterator[T]:
    """The items of all speakers, in the order in which they start.

    Args:
        segments: in the order in which they start.
        track: makes the track of a speaker, given by name.
    """
    tracks: dict[int, Track[T]] = {}
    waiting: list[tuple[int, int, T]] = []
    count = 0
    for segment in segments:
        if not line(segment.text):
            continue
        now = milliseconds(segment.start)
        own = tracks.setdefault(segment.channel, track(segment.speaker))
        made = [each for one in tracks.values() for each in one.release(now)]
        for each in (*made, *own.feed(segment)):
            count += 1
            heapq.heappush(waiting, (each.start, count, each))
        until = min((one.held for one in tracks.values() if one.held is not None), default=now)
        while waiting and waiting[0][0] < min(now, until):
            yield heapq.heappop(waiting)[2]
    for one in tracks.values():
        for each in one.release(None):
            count += 1
            heapq.heappush(waiting, (each.start, count, each))
    while waiting:
        yield heapq.heappop(waiting)[2]


def label(speaker: str) -> str:
    """The prefix of a speaker's words in formats that are plain text: `NAME: `."""
    return f"{line(speaker)}: " if speaker else ""
