"""Lines to other machines that break under a part of a recording, again and again: pure.

A cable that is cut looks like a recording that takes the whole machine with it (its memory, its driver). One break says
nothing. What breaks line after line without a chunk between them is taken for the recording's fault, also where these break
while it is sent: it may be too large for the other machine. See `Cause.LINE` in policy.py. An attempt that came neither so
far nor to its model says nothing either, and breaks no row.
"""

from __future__ import annotations

from sttd.part import Cause

_KNOWN = 1000  # parts that are remembered; a restart may lose them


class Lines:
    """By part id: the lines that broke since its last chunk."""

    def __init__(self) -> None:
        self._broken: dict[str, int] = {}

    def ended(self, part_id: str, cause: Cause, *, progressed: bool) -> bool:
        """An attempt has ended. Returns whether its line broke, and one before it, and neither came further than the first.

        `progressed`: it brought a chunk.
        """
        before = self._broken.pop(part_id, 0)
        if progressed:
            before = 0
        if cause is Cause.LINE:
            self._broken[part_id] = before + 1
            while len(self._broken) > _KNOWN:
                del self._broken[next(iter(self._broken))]
            return before > 0
        if before:
            self._broken[part_id] = before
        return False
