"""Whose turn is it? Worker time is shared between jobs that are new and jobs that had a slice already.

Stride scheduling over two lanes: the lane that has had less worker time is served next, so that neither a
hundred thousand clips starve a long recording nor one long recording all clips. Within the lanes: the new ones
by age, the others by the service they have had, least first.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lanes:
    """Worker seconds that each lane has had since both had somebody waiting."""

    fresh: float = 0.0
    served: float = 0.0

    def order(self) -> tuple[str, str]:
        """The lanes, the next one first; the other is taken where the first has nobody."""
        return ("fresh", "served") if self.fresh <= self.served else ("served", "fresh")

    def charge(self, lane: str, seconds: float) -> Lanes:
        """`seconds` of worker time went to a job of `lane`."""
        if lane == "fresh":
            return Lanes(self.fresh + seconds, self.served)
        return Lanes(self.fresh, self.served + seconds)
