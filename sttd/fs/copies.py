"""Copies a file to another file system: the copy is complete, compared and on disk before the source may go. Holes are kept."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator

from sttd.fs import sparse
from sttd.fs.blame import reading
from sttd.fs.folder import Folder

TICK = 2 * 10**9  # nanoseconds: the coarsest clock of a file system, vfat's
# Nanoseconds: the step of a file system's time stamps, and how far a stored one may be from the one that was set. In order:
# NTFS and SMB; NFS 3 and UDF; FUSE programs that count milliseconds; exFAT, ext3, HFS+ and vfat (10 ms to 2 s)
_CLOCKS = ((100, 100), (1000, 1000), (10**6, 10**6), (10**7, TICK))
# The first and the last second since the epoch that file systems can store. In order: old inodes of ext4 and XFS; NFS 3 and
# SFTP; exFAT and vfat. A time beyond is stored as the limit; exFAT and vfat keep local time, which shifts it by some hours
_FIRST, _LAST = (-(2**31), 0, 315_532_800), (2**31 - 1, 2**32 - 1, 4_354_819_199)
_DAY = 86_400 * 10**9  # nanoseconds
_BLOCK = 2**20  # bytes


def temporary_of(path: str) -> str:
    """The hidden name of a copy of `path` while it is made; the same for each try."""
    return f".sttd-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.part"


def make(source: Folder, name: str, target: Folder, mode: int | None = None) -> str:
    """Copy a file into `target` under its hidden name, which is returned. `mode`: of the copy; None: that of the file.

    Raises:
        Unreadable: its disk does not give all of it.
        OSError: it cannot be read or written, or the copy differs. Nothing of the copy is left.
    """
    temporary = temporary_of(source.path_of(name))
    target.discard(temporary)
    try:
        with _reading(source, name) as reader:
            _write(reader, target, temporary, mode)
            _compare(reader, target, temporary)
    except OSError:
        target.discard(temporary)  # a disk that is full needs its room
        raise
    return temporary


def _write(reader: int, target: Folder, temporary: str, mode: int | None) -> None:
    writer = target.create(temporary, 0o600)
    try:
        _copy_data(reader, writer)
        _copy_attributes(reader, writer, mode)
        os.fsync(writer)  # with the modification time, by which `is_copy` recognises the copy
    finally:
        os.close(writer)


def _compare(reader: int, target: Folder, temporary: str) -> None:
    with _reading(target, temporary) as copy:
        if not _same_data(reader, copy):
            raise OSError(errno.EIO, "the copy differs from its source", target.path_of(temporary))


def is_copy(source: Folder, name: str, target: Folder, new: str) -> bool:
    """Whether `new` is a copy that was made of the file: the same bytes and modification time."""
    with _reading(source, name) as one, _reading(target, new) as other:
        wanted, seen = os.fstat(one), os.fstat(other)
        return is_same_time(seen.st_mtime_ns, wanted.st_mtime_ns) and _same_data(one, other)


def is_same_time(stored: int, wanted: int) -> bool:
    """Whether a file system that was given the modification time `wanted` may have stored `stored` (both in nanoseconds)."""
    apart = abs(stored - wanted)
    if apart == 0 or any(stored % step == 0 and apart < most for step, most in _CLOCKS):
        return True
    return any(abs(stored - limit * 10**9) < _DAY for limit in (_FIRST if wanted < stored else _LAST))


@contextlib.contextmanager
def _reading(folder: Folder, name: str) -> Iterator[int]:
    handle = folder.open_file(name)
    try:
        yield handle
    finally:
        os.close(handle)


def _same_data(one: int, other: int) -> bool:
    """Whether two files hold the same bytes. A hole that both have is not read: a terabyte of it would take hours."""
    size, position = os.fstat(one).st_size, 0
    if os.fstat(other).st_size != size:
        return False
    while (position := min(_next_data(one, position, size), sparse.next_data(other, position, size))) < size:
        with reading():
            block = os.pread(one, _BLOCK, position)
        if not block or block != os.pread(other, len(block), position):
            return False
        position += len(block)
    return True


def _next_data(source: int, position: int, size: int) -> int:
    """As `sparse.next_data`, but raises Unreadable: the list of a file's holes is on its disk, too, and may be damaged."""
    with reading():
        return sparse.next_data(source, position, size)


def _copy_attributes(reader: int, writer: int, mode: int | None) -> None:
    """Mode, extended attributes and times, the times last. Never setuid or setgid, which sttd's unit may not set."""
    seen = os.fstat(reader)
    os.fchmod(writer, seen.st_mode & 0o777 if mode is None else mode)
    with contextlib.suppress(OSError):  # one of the file systems has no extended attributes
        for name in os.listxattr(reader):
            if name.startswith("user."):
                os.setxattr(writer, name, os.getxattr(reader, name))
    os.utime(writer, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def _copy_data(reader: int, writer: int) -> None:
    """Copy the data and keep the holes."""
    size = os.fstat(reader).st_size
    os.ftruncate(writer, size)
    position = 0
    while position < size:
        start = _next_data(reader, position, size)
        if start >= size:
            return
        with reading():
            position = os.lseek(reader, start, os.SEEK_HOLE)
        while start < position:
            # not copy_file_range: it fails between two types of file system, and that is the usual case here
            with reading():
                block = os.pread(reader, min(position - start, _BLOCK), start)
            if not block:
                return
            start += os.pwrite(writer, block, start)
