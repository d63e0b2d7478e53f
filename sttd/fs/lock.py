"""A lock that is held as long as its holder lives: flock(2), which NFS passes on to other hosts.

Whoever may read a file may take a shared lock on it, and keep everybody from an exclusive one. So the file belongs to its
holder alone, and whether it is held is told by something else: see `presence`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path

from sttd.errors import AlreadyRunning
from sttd.fs.regular import open_regular

MODE = 0o600


class Lock:
    """An exclusive lock on a file that is created where it is missing.

    Raises:
        AlreadyRunning: somebody else holds it.
        OSError: the file cannot be opened or written, or is no regular file.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        handle = open_regular(path, os.O_RDWR | os.O_CREAT, MODE)
        try:
            if stat.S_IMODE(os.fstat(handle).st_mode) != MODE:
                with contextlib.suppress(OSError):  # an older version's; some network shares know no modes
                    os.fchmod(handle, MODE)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise AlreadyRunning(
                f"another sttd holds {what} {path.parent}: stop it, or choose another folder"
            ) from None
        except OSError:
            os.close(handle)
            raise
        self._handle: int | None = handle

    def release(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)
