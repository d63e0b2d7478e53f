"""What several people say, maybe at once: what each says for itself, and all of it by time. A stream, and pure."""

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
    """Makes something of one speaker's segments, in order. Its latest may still change: that is held back."""

    @property
    def held(self) -> int | None:
        """When what is held back starts, in milliseconds."""

    def feed(self, segment: Segment) -> Iterator[T_co]:
        """Take the next segment, which has text; what follows from it."""

    def release(self, now: int | None) -> Iterator[T_co]:
        """What is held, if it changes no more where the next segment starts at `now` or later; None: there is none."""


def by_time(segments: Iterator[Segment], track: Callable[[str], Track[T]]) -> Iterator[T]:
    """What all tracks make of the segments, in the order in which it starts.

    Args:
        segments: in the order in which they start.
        track: makes that of a speaker.
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
    """What stands before the words of a speaker, where they are read as text."""
    return f"{line(speaker)}: " if speaker else ""
