"""What the loop remembers of files that could not be read. A restart may lose it: one more attempt finds it out anew."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class UnreadableFiles:
    """By job number."""

    looking: set[int] = field(default_factory=set)  # those whose files are being looked at
    again: dict[int, int] = field(default_factory=dict)  # those that can be read again, with the attempt that could not
    places: dict[int, int] = field(default_factory=dict)  # the byte at which reading failed

    def drop(self, job: int) -> None:
        """It has ended, or can be read."""
        self.looking.discard(job)
        self.again.pop(job, None)
        self.places.pop(job, None)
