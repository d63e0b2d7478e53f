"""When sttd took a file out of the inbox: a look from before that moment, reported afterwards, says nothing of the file.

A walk through a large inbox takes seconds. A file that it saw may be archived by the time that it is reported, and would
become a job about a file that is not there.
"""

from __future__ import annotations

KEPT = 10_000  # files; a look is reported within seconds, and so many are not taken in that time


class Taken:
    """Paths relative to the inbox. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._when: dict[str, float] = {}

    def note(self, source: str, now: float) -> None:
        """The file is out of the inbox."""
        self._when.pop(source, None)
        self._when[source] = now
        if len(self._when) > KEPT:
            del self._when[next(iter(self._when))]

    def since(self, source: str, looked: float) -> bool:
        """Whether a file of this name was taken after somebody looked at it."""
        return self._when.get(source, -float("inf")) >= looked
