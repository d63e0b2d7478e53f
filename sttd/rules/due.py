"""When is something due again? A table of names and times; it knows no clock."""

from __future__ import annotations


class Schedule:
    """Things that are done every so often. Times are seconds of one monotonic clock."""

    def __init__(self, now: float) -> None:
        self._start = now
        self._due: dict[str, float] = {}

    def due(self, name: str, interval: float, now: float) -> bool:
        """Whether `name` is due; if so the next time is `interval` after `now`. First due at once."""
        if now < self._due.get(name, self._start):
            return False
        self._due[name] = now + interval
        return True

    def wait(self, now: float, longest: float) -> float:
        """Seconds until the next thing is due."""
        return max(0.0, min([longest, *(time - now for time in self._due.values())]))
