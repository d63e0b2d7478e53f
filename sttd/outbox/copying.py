"""A source goes to another file system: copied with its holes and its time, on disk, and compared."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from sttd.outbox import files

_BLOCK = 1 << 20  # bytes


def copy_verified(source: Path, target: Path) -> str:
    """Copy a file, replacing `target` (a temporary of ours), and return the SHA-256 of what can be read back.

    Holes stay holes where both file systems know them; the time of change is kept as finely as the target has it.
    """
    inside = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        outside = os.open(target, flags, 0o600)
        try:
            seen = os.fstat(inside)
            _copy(inside, outside, seen.st_size)
            os.utime(outside, ns=(seen.st_atime_ns, seen.st_mtime_ns))
            os.fsync(outside)
            # what is compared should come from the disk
            os.posix_fadvise(outside, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(outside)
    finally:
        os.close(inside)
    return files.digest(target)


def _copy(inside: int, outside: int, size: int) -> None:
    offset = 0
    while offset < size:
        try:
            start = os.lseek(inside, offset, os.SEEK_DATA)
            end = os.lseek(inside, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole to the end
                break
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
            start, end = offset, size  # no holes known here
        _copy_span(inside, outside, start, min(end, size))
        offset = end
    os.ftruncate(outside, size)


def _copy_span(inside: int, outside: int, start: int, end: int) -> None:
    while start < end:
        block = os.pread(inside, min(_BLOCK, end - start), start)
        if not block:  # cut while it was read: the look afterwards finds that
            return
        done = 0
        while done < len(block):
            done += os.pwrite(outside, block[done:], start + done)
        start += len(block)
