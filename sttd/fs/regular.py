"""Opens a file where anybody may have put something else.

The name may lead to a FIFO, whose open(2) waits for a writer, to a device, or by a link to somebody else's file. The type
is checked on the open handle, not on the name, which may belong to another file a moment later.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

_CAREFUL = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


class NotRegular(OSError):
    """There is something, and it is not a regular file: a link, a folder, a FIFO, a socket or a device."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(errno.EMEDIUMTYPE, "not a regular file", os.fspath(path))


def open_regular(
    path: str | os.PathLike[str], flags: int = os.O_RDONLY, mode: int = 0o640, folder: int | None = None
) -> int:
    """Open the regular file at `path`; returns its handle. Nothing but a dead mount can make this wait.

    Args:
        path: if its last name is a link, that is not followed.
        flags: of open(2).
        mode: of a file that is created.
        folder: a handle of the folder that `path` starts in; None: the working directory.

    Raises:
        NotRegular: it is no regular file.
        OSError: it cannot be opened. IsADirectoryError: a folder cannot be opened to be written.
    """
    try:
        handle = os.open(path, flags | _CAREFUL, mode, dir_fd=folder)
    except OSError as error:
        # ELOOP: it is a link. ENXIO: a socket or a FIFO, or the device behind its mount is away
        if error.errno in (errno.ELOOP, errno.ENXIO) and not is_regular(path, folder):
            raise NotRegular(path) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NotRegular(path)
    except OSError:
        os.close(handle)
        raise
    return handle


def is_regular(path: str | os.PathLike[str], folder: int | None = None) -> bool:
    """Whether a regular file has this name; a link to one does not count. Raises OSError if nothing has it."""
    return stat.S_ISREG(os.stat(path, dir_fd=folder, follow_symlinks=False).st_mode)


def set_mode(handle: int, mode: int) -> None:
    """Give an open file of ours exactly `mode`, whatever the umask was. What belongs to somebody else keeps its own."""
    if stat.S_IMODE(os.fstat(handle).st_mode) != mode:
        with contextlib.suppress(PermissionError):
            os.fchmod(handle, mode)
