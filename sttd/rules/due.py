"""When is something due again? A table of names and times; it knows no clock."""

from __future__ import annotations


class Schedule:
    """Things that are done every so often. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, float]] = {}  # when it was done last, and the interval that counts now

    def due(self, name: str, interval: float, now: float) -> bool:
        """Whether `name` is due: never done, or at least `interval` seconds ago. If so, `now` is stored as its last time.

        The interval of this call counts, so that a reload which makes it shorter or longer is in force at once.
        """
        last, _ = self._last.get(name, (now - interval, 0.0))
        due = now - last >= interval
        self._last[name] = (now if due else last, interval)
        return due

    def wait(self, now: float, longest: float) -> float:
        """Seconds until the next thing is due, and at most `longest`."""
        return max(0.0, min([longest, *(last + interval - now for last, interval in self._last.values())]))


def growing(waited: float, least: float, most: float) -> float:
    """Seconds until the next try of something that has failed for `waited` seconds: as long again, within bounds."""
    return max(least, min(waited, most))
