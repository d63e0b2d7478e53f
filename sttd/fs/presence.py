"""Whether a process is there, told to everybody in its group, who can neither pretend nor prevent it.

The process holds a FIFO open for reading that the group may only write to. open(2) for writing, without waiting, succeeds
as long as somebody reads (fifo(7)), and the kernel ends that with the process, however it dies. A copy of the folder, or
another process with an old number, is not taken for it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

MODE = 0o620


class Presence:
    """Says that this process is there, until `release`.

    Raises:
        OSError: the FIFO cannot be made.
    """

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)  # whatever it was: a FIFO of an earlier process, or a copy
        os.mkfifo(path, MODE)
        path.chmod(MODE)  # whatever the umask
        self._handle: int | None = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)

    def release(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def is_present(path: Path) -> bool:
    """Whether a process says so.

    Raises:
        PermissionError: this user may not know.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISFIFO(path.lstat().st_mode):
            return False
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC))
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody reads
                raise
        else:
            return True
    return False
