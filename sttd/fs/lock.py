"""Locks that end with their process, whatever kills it: flock, which NFS passes on to other hosts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from sttd.errors import AlreadyRunning


class Lock:
    """An exclusive lock on a file that is created where it is missing.

    Raises:
        AlreadyRunning: somebody else holds it.
        OSError: the file cannot be opened or written.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            taken = _taken(handle)
        except OSError:
            os.close(handle)
            raise
        if not taken:
            os.close(handle)
            raise AlreadyRunning(f"another sttd holds {what} {path.parent}: stop it, or choose another folder")
        self._handle: int | None = handle

    def release(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def _taken(handle: int) -> bool:
    """Take the lock. A command that looks whether it `is_held` has a share of it for a moment: that is waited out."""
    for tries_left in reversed(range(50)):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if tries_left:
                time.sleep(0.01)
        else:
            return True
    return False


def is_held(path: Path) -> bool:
    """Whether some process holds the lock. Asked without the right to write, and without disturbing its holder.

    Raises:
        PermissionError: the file may not be read.
    """
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
    return False
