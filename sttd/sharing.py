"""Into how many parts a long recording is shared out, and what all of its parts must know; pure.

Border k lies at the first cut at or after k times `Share.length`; the workers find it, see `sttd/worker/speech/borders.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sttd.units import clock

# each part passes over all that lies before it, mostly packet by packet: 16 parts read a packet 8.5 times on average, 60 parts 30
MOST_PARTS = 16


@dataclass(frozen=True, slots=True)
class Share:
    """When and how a recording is shared out. A job keeps the one it was begun with."""

    after: float  # seconds of audio; a recording up to this length stays one part
    length: float  # seconds of audio between two borders


@dataclass(frozen=True, slots=True)
class Decided:
    """The language that part 0 has decided for a whole channel."""

    language: str
    probability: float


def wanted(after: float, length: float, slots: int) -> Share | None:
    """How recordings are shared out; None: they are not, because it would only give a single worker more to do.

    Args:
        after: `pool.split_after`, seconds; infinite: never.
        length: `pool.part_length`, seconds.
        slots: how many parts may run at once at most, with all workers that are configured.
    """
    return Share(after, length) if slots > 1 and math.isfinite(after) else None


def fitted(share: Share, seconds: float | None) -> Share:
    """How a recording of so many seconds is shared out: in longer parts if there would be too many."""
    if seconds is None:
        return share
    return replace(share, length=max(share.length, float(math.ceil(seconds / MOST_PARTS))))


def parts_of(seconds: float | None, share: Share | None) -> int:
    """The number of parts of a recording of so many seconds; None: its file does not say, and it stays one part.

    The last part has between half and one and a half times `Share.length`.
    """
    if seconds is None or share is None or seconds <= share.after:
        return 1
    return max(2, int(seconds / share.length + 0.5))


def span_of(number: int, parts: int, length: float, seconds: float | None) -> tuple[float, float]:
    """About where a part lies, in seconds, before its borders are found. `seconds`: of the recording, if known."""
    begins = number * length
    ends = seconds if seconds is not None and number == parts - 1 else (number + 1) * length
    return begins, max(begins, ends)


def in_words(number: int, parts: int, begins: float, ends: float) -> str:
    """A part for people, who count from 1: "part 3 of 7 (20:00 to 30:00)". Times are seconds of the recording."""
    return f"part {number + 1} of {parts} ({clock(begins)} to {clock(ends)})"
