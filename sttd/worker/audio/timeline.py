"""Where a frame's sound belongs in the recording, by its time stamp and by the samples before it; pure.

Players follow the time stamps, so a late start and a hole are silence to them; subtitles that are to fit must count
it. But time stamps are rounded, jitter, restart and break, so samples are counted where the stamps do not plainly say
otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

JITTER = 0.1  # seconds that a stamp may be off before it means something; containers round to 0.001 to 0.04
LATE = 0.3  # seconds of sound that may be too much before some is dropped: more than JITTER, or jitter would eat sound
OVERLAP = 5.0  # seconds of sound that are dropped at most: more is a clock set back, and the sound is new


@dataclass
class Timeline:
    """Follows one stream's time stamps. All times are seconds from the container's start."""

    max_gap: float  # a longer hole is a broken time stamp
    begins: float = 0.0  # what was ignored before is not counted,
    ends: float = math.inf  # nor what was from here on
    base: float = 0.0  # the container's start by its own clock
    broken: int = 0  # stamps that were ignored
    first_broken: float = 0.0  # where
    _next: float = 0.0  # stamp that would follow the last one believed
    _shift: float = 0.0  # what stamps are off by, since a clock was set
    _since: float = 0.0  # stamp when it was set: no overlap reaches before it

    def place(self, stamp: float | None, after: float | None, length: float, at: float) -> float:
        """The seconds of silence that belong before a frame (0 mostly); negative: the seconds of its sound that came before.

        A clock that is a little slow drops nothing: only a step back does. Its lag is made up in the next hole.

        Args:
            stamp: the frame's; None: it has none.
            after: the next frame's; a jump that the next one does not follow is a broken stamp.
            length: the frame's.
            at: where it would be by the samples before it.
        """
        believed = stamp is not None and self._believe(stamp, after, length, at)
        expected, self._next = self._next, (stamp if stamp is not None and believed else self._next) + length
        if stamp is None or not believed:
            return 0.0
        drift = stamp - self._shift - at
        stepped_back = stamp - expected < -JITTER
        if JITTER < drift <= self.max_gap:
            return drift
        if stepped_back and -OVERLAP <= drift < -LATE and stamp - JITTER > self._since:
            return drift
        if drift > self.max_gap or (stepped_back and drift < -LATE):
            # chained Ogg, or files in a row: the next one begins at 0, also behind a stream that was joined in its middle
            begins_again = stepped_back and min(abs(stamp), abs(stamp + self.base)) <= JITTER
            if not begins_again:
                self._ignore(at)
            self._shift, self._since = stamp - at, stamp
        return 0.0

    def _believe(self, stamp: float, after: float | None, length: float, at: float) -> bool:
        jumps = abs(stamp - self._next) > JITTER
        if jumps and after is not None and abs(after - stamp - length) > JITTER:
            self._ignore(at)
            return False
        return True

    def leapt(self, seconds: float) -> None:
        """Go on by `seconds` that were not read, but are known to have no hole."""
        self._next += seconds

    def _ignore(self, at: float) -> None:
        if not self.begins <= at < self.ends:
            return
        if not self.broken:
            self.first_broken = at
        self.broken += 1
