"""May the wall clock decide what is old? A clock that jumps far ahead would make everything old at once."""

from __future__ import annotations

from dataclasses import dataclass

HOUR, DAY = 3600.0, 86_400.0  # seconds
WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class ClockState:
    """What is known of the clock, for the next start of the daemon. UTC seconds."""

    believed: float  # the latest time that was believed
    doubted: float | None = None  # when the doubt began; None: there is none


class WallClock:
    """Compares UTC with the time that has passed since it was last believed, on a clock that nobody can set.

    - UTC that is more than a day ahead is not believed: the clock was set wrong, or the machine was off.
    - It is believed again a day later by its own reckoning, if it did not jump again.
    - A clock that was set back makes nothing old, and is believed at once.
    """

    def __init__(self, known: ClockState, boot: float) -> None:
        """`boot`: the time of the clock that nobody can set, in seconds since any moment."""
        self._known = known
        self._believed_at = boot  # at the latest
        self._last: tuple[float, float] | None = None  # UTC and `boot` at the latest look
        self.ahead = 0.0  # seconds, at the latest look

    @property
    def known(self) -> ClockState:
        return self._known

    def look(self, utc: float, boot: float) -> tuple[bool, bool]:
        """Whether a new doubt begins, and whether `utc` is to be believed."""
        known, last, self._last = self._known, self._last, (utc, boot)
        self.ahead = (utc - known.believed) - (boot - self._believed_at)
        if self.ahead > DAY:
            jumped = last is not None and abs((utc - last[0]) - (boot - last[1])) > HOUR
            if known.doubted is None or jumped or not 0 <= utc - known.doubted <= WEEK:
                self._known = ClockState(known.believed, utc)
                return True, False
            if utc - known.doubted < DAY:
                return False, False
        self._known, self._believed_at = ClockState(utc), boot
        return False, True
