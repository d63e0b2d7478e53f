"""May the wall clock decide what is old? A clock that jumps far ahead would make everything old at once."""

from __future__ import annotations

DAY = 86_400.0  # seconds


class WallClock:
    """Compares UTC with the time that has passed since it was last believed, by a clock that nobody sets.

    UTC that is more than a day ahead is not believed: the clock was set wrong, or right after it had been wrong for long. It is
    believed again once it is back, or has gone on from there for a day without another jump. A clock that was set back
    makes nothing old, and is believed at once.
    """

    def __init__(self, utc: float, boot: float) -> None:
        """`utc` was the time when the other clock, whatever that counts from, stood at `boot` or before. Both in seconds."""
        self._believed = (utc, boot)
        self._doubted: tuple[float, float] | None = None
        self.ahead = 0.0  # seconds, at the latest look

    def look(self, utc: float, boot: float) -> tuple[bool, bool]:
        """Whether there is a jump that is news, and whether `utc` is to be believed."""
        self.ahead = _gain(self._believed, utc, boot)
        if self.ahead <= DAY:
            self._believed, self._doubted = (utc, boot), None
            return False, True
        if self._doubted is None or abs(_gain(self._doubted, utc, boot)) > DAY:
            self._doubted = (utc, boot)
            return True, False
        if boot - self._doubted[1] >= DAY:
            self._believed, self._doubted = (utc, boot), None
            return False, True
        return False, False


def _gain(since: tuple[float, float], utc: float, boot: float) -> float:
    """By how much more UTC has advanced than the other clock."""
    return (utc - since[0]) - (boot - since[1])
