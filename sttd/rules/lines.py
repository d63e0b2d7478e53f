"""Connections to other machines that break again and again while they serve one part of a recording: pure.

A cable that is cut looks like a recording that takes the whole machine with it (its memory, its driver). One break proves
nothing. If connections break one after the other without a chunk between them, the recording is blamed, even if they
break while it is being sent: it may be too large for the other machine. See `Cause.LINE` in policy.py. An attempt that
ends in another way without a chunk proves nothing either, and does not interrupt the series.
"""

from __future__ import annotations

from sttd.part import Cause

_KNOWN = 1000  # parts that are remembered; a restart may lose them


class Lines:
    """By part id: how many connections broke since its last chunk."""

    def __init__(self) -> None:
        self._broken: dict[str, int] = {}

    def ended(self, part_id: str, cause: Cause, *, progressed: bool) -> bool:
        """An attempt has ended. Returns whether its connection broke, as one before it did, without a chunk in between.

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
