"""Opening a file that anybody may have put there, to read it.

The name may lead to a FIFO, whose open(2) waits for a writer, to a device, or by a link to somebody else's file. What
was opened is asked what it is, not the name: a name may be given to another file between two looks.
"""

from __future__ import annotations

import errno
import os
import stat

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


class NotRegular(OSError):
    """There is something, and it is not a regular file: a link, a folder, a FIFO, a socket or a device."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.EMEDIUMTYPE, "not a regular file", path)


def open_regular(path: str) -> int:
    """A handle on the regular file at `path`, for reading. It never waits for anybody, dead mounts apart.

    Raises:
        NotRegular: it is none.
        OSError: it cannot be opened.
    """
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        # ELOOP: it is a link. ENXIO: it is a socket, or the device behind its mount is away
        if error.errno in (errno.ELOOP, errno.ENXIO) and not stat.S_ISREG(os.lstat(path).st_mode):
            raise NotRegular(path) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NotRegular(path)
    except OSError:
        os.close(handle)
        raise
    return handle
