"""Whose fault an error of a file system is: the machine's, that of a name, or that of one file alone.

Each is handled differently. A fault of the machine meets every job, so that all work waits until it is over. A name
that a file system refuses is changed until it fits. A file that may not be touched holds up its own job only.
See errno(3), and the ERRORS sections of open(2), rename(2) and write(2).
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
from collections.abc import Iterator


class Blame(enum.StrEnum):
    """Whose fault an OSError is."""

    MACHINE = "machine"  # a disk, mount or server, or the process's limits: others meet it too; it passes
    NAME = "name"  # the file system does not accept the name, or it is taken: another name will do
    FILE = "file"  # this one file, or the folder that it lies in: other jobs are not concerned


_DISK = frozenset(
    {
        # the disk is full, read-only or broken
        errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EREMOTEIO, errno.EUCLEAN, errno.EBADMSG, errno.ENODATA,
        # the device, mount or server behind it is away
        errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM, errno.ENOTCONN, errno.ESTALE, errno.ESHUTDOWN, errno.EREMCHG,
        errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH, errno.ECONNREFUSED,
        errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ECOMM, errno.EPROTO, errno.ENOLINK, errno.EKEYEXPIRED,
        errno.EKEYREVOKED, errno.ENOKEY,
    }
)  # fmt: skip
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
# this process, or the whole system, has no more of something
_PROCESS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN, errno.EINTR, errno.ENOLCK})
_NAME = frozenset(
    {errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EEXIST}
)

# some bytes cannot be read: a bad sector, or a block whose checksum is wrong. A disk that is away gives other errors
_SECTOR = frozenset({errno.EIO, errno.EREMOTEIO, errno.EUCLEAN, errno.EBADMSG, errno.ENODATA})


class Unreadable(OSError):
    """Some bytes of one file cannot be read; other files are not concerned."""


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """For steps that only read one open file. An error that means a bad sector becomes Unreadable."""
    try:
        yield
    except OSError as error:
        if error.errno not in _SECTOR:
            raise
        words = f"it cannot be read to its end ({os.strerror(error.errno)}): drop a copy of what can be read of it"
        raise Unreadable(error.errno, words) from error


def blame(error: OSError) -> Blame:
    """Whose fault it is that a step on files failed.

    An unknown error counts as the fault of the file: its job waits, and all others go on. If every file meets it, each
    job waits by itself. ENOENT is not judged here: only the caller knows whether the file should be there.
    """
    if isinstance(error, Unreadable):
        return Blame.FILE
    if error.errno in _DISK | _PROCESS:
        return Blame.MACHINE
    if error.errno in _NAME:
        return Blame.NAME
    return Blame.FILE


def is_of_a_disk(error: OSError) -> bool:
    """Whether one disk, mount or server is at fault: work on others is not concerned."""
    return error.errno in _DISK


def takes_nothing(error: OSError) -> bool:
    """Whether the disk takes no more files: it is full or read-only. Other errors may come from a single damaged file."""
    return error.errno in _FULL
