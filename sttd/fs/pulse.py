"""A heartbeat that others can read without asking the process, and that wakes no disk: a lock that moves.

A process that works locks one byte of a file and unlocks the one before. The byte's offset is the time, in seconds of
CLOCK_MONOTONIC. The file stays empty. Everybody can read locks and their ranges in the kernel's table, /proc/locks. A time
stamp in a file would keep the disk awake while the process has nothing to do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from sttd.fs.lock import MODE, TABLE, ranges
from sttd.fs.regular import open_regular


class Pulse:
    """The heartbeat of this process. Nothing else in it may open the file: closing any handle ends the lock (fcntl(2)).

    Args:
        path: of the file, which is made where it is missing.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._handle = open_regular(path, os.O_RDWR | os.O_CREAT, MODE)
        self._last: int | None = None

    def beat(self) -> None:
        """The process works at this moment."""
        now = int(time.monotonic())
        if now == self._last:
            return
        with contextlib.suppress(OSError):  # no locks left: readers then see no beat, as before the first one
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, now)
            if self._last is not None:
                fcntl.lockf(self._handle, fcntl.LOCK_UN, 1, self._last)
            self._last = now

    def close(self) -> None:
        os.close(self._handle)


def silent(path: Path, holder: int | None, table: Path = TABLE) -> float | None:
    """Seconds since the last beat; None: nothing is known of one.

    Args:
        path: of the file.
        holder: the process whose beat it is, see `fs.lock.is_held`.
        table: the kernel's locks.

    Raises:
        PermissionError: the folder may not be entered.
    """
    last = max((end for _, end in ranges(path, holder, table)), default=None)
    return None if last is None else max(0.0, time.monotonic() - last - 1)
