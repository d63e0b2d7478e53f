"""Steps on files that can be killed anywhere: nothing is replaced, and what is in place is on disk.

Every function may raise OSError: disk full, no rights, a dead mount; the machine's fault.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from sttd.fs import sparse
from sttd.fs.digest import digest
from sttd.fs.sync import fsync_folder

RESULT_MODE = 0o640
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_NO_RENAME_NEW = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)  # NFS, old FUSE; a seccomp filter
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1  # fcntl.h, linux/fs.h


def make_folder(folder: str) -> None:
    """Create a folder and its parents; mode and group come from the folder above."""
    missing = []
    path = Path(folder)
    while not path.exists():
        missing.append(path)
        path = path.parent
    if not missing and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):  # the other thread of the outbox was here
            _make_like(path, path.parent)
        fsync_folder(str(path.parent))


def _make_like(path: Path, above: Path) -> None:
    """One folder with the rights of the one above it.

    The kernel hands setgid on by itself. It is never asked for: systemd's RestrictSUIDSGID= refuses that, and a chmod
    without it would take it away, so that in a setgid folder the umask has the last word.
    """
    mode = above.stat().st_mode & 0o777
    path.mkdir(mode)
    made = path.stat().st_mode
    if made & 0o777 != mode and not made & stat.S_ISGID:
        path.chmod(mode)


def write_whole(path: str, write: Callable[[TextIO], None]) -> str:
    """Write and fsync a new text file; returns its SHA-256. Lone surrogates are written as escapes."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, RESULT_MODE)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        os.fchmod(handle, RESULT_MODE)  # whatever the umask
        write(file)
        file.flush()
        os.fsync(file.fileno())
    return digest(path)


def rename_new(source: str, target: str) -> None:
    """Give a file another name on its file system, which nobody has.

    Raises:
        FileExistsError: somebody has it.
    """
    try:
        if not _rename_noreplace(source, target):
            _rename_linked(source, target)
    except FileExistsError:
        if not os.path.samestat(os.lstat(source), os.lstat(target)):  # else: killed between link and unlink
            raise
        os.unlink(source)


def _rename_noreplace(source: str, target: str) -> bool:
    """In one step, renameat2(2). False: the file system or the C library does not know it."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), ctypes.c_uint(_RENAME_NOREPLACE)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_RENAME_NEW:
        return False
    raise OSError(number, os.strerror(number), source, None, target)


def _rename_linked(source: str, target: str) -> None:
    """In two steps: a second name, then the first one goes."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _rename_reserved(source, target)  # some network shares have neither
    else:
        os.unlink(source)


def _rename_reserved(source: str, target: str) -> None:
    """Without hard links: reserve the name with an empty file of ours, then rename over it."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, RESULT_MODE))
    os.rename(source, target)


def move_new(source: str, target: str) -> None:
    """Move a file to a name that nobody has, across file systems too: copied, fsynced and compared before it goes.

    Raises:
        FileExistsError: somebody has the name.
    """
    try:
        rename_new(source, target)
    except OSError as error:
        # a name that is taken is told before the other file system is
        if error.errno != errno.EXDEV and not _is_copied(source, target):
            raise
        if not _is_copied(source, target):
            _copy_new(source, target)
        Path(_part(source, target)).unlink(missing_ok=True)
        fsync_folder(os.path.dirname(target))  # before the only other copy goes
        os.unlink(source)
        fsync_folder(os.path.dirname(source))
    fsync_folder(os.path.dirname(target))


def _is_copied(source: str, target: str) -> bool:
    """Whether an earlier call was killed between the copy and the removal of its source."""
    if not os.path.isfile(target) or os.path.islink(target):
        return False
    seen, wanted = os.stat(target), os.stat(source)
    same = (seen.st_size, seen.st_mtime_ns) == (wanted.st_size, wanted.st_mtime_ns)
    return same and seen.st_dev != wanted.st_dev and _same_data(source, target)


def _same_data(one: str, other: str) -> bool:
    """Whether two files hold the same bytes. What is a hole in both is not read: a terabyte of it would take hours."""
    with Path(one).open("rb") as left, Path(other).open("rb") as right:
        handles = left.fileno(), right.fileno()
        size, position = os.fstat(handles[0]).st_size, 0
        if os.fstat(handles[1]).st_size != size:
            return False
        while (position := min(sparse.next_data(handle, position, size) for handle in handles)) < size:
            block = os.pread(handles[0], 2**20, position)
            if not block or block != os.pread(handles[1], len(block), position):
                return False
            position += len(block)
        return True


def _part(source: str, target: str) -> str:
    """The hidden copy beside its name-to-be; the same for each try."""
    return os.path.join(os.path.dirname(target), f".sttd-{hashlib.sha256(os.fsencode(source)).hexdigest()[:16]}.part")


def _copy_new(source: str, target: str) -> None:
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    part = _part(source, target)
    try:
        with Path(source).open("rb") as reader, Path(part).open("wb") as writer:
            _copy_data(reader.fileno(), writer.fileno())
            _copy_attributes(reader.fileno(), writer.fileno())
            os.fsync(writer.fileno())  # the time of change with it: by it a copy is known again
        _compare(source, part)
        rename_new(part, target)
    except OSError:
        Path(part).unlink(missing_ok=True)  # a disk that is full needs its room
        raise


def _compare(source: str, copy: str) -> None:
    if not _same_data(source, copy):
        raise OSError(errno.EIO, "the copy differs from its source", copy)


def _copy_attributes(reader: int, writer: int) -> None:
    """Mode, extended attributes and times, the times last. Never setuid or setgid, which sttd's unit may not set."""
    seen = os.fstat(reader)
    os.fchmod(writer, seen.st_mode & 0o777)
    with contextlib.suppress(OSError):  # one of the file systems knows none
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
        start = sparse.next_data(reader, position, size)
        if start >= size:
            return
        position = os.lseek(reader, start, os.SEEK_HOLE)
        while start < position:
            # not copy_file_range: it refuses two kinds of file system, which is what this is for
            block = os.pread(reader, min(position - start, 2**20), start)
            if not block:
                return
            start += os.pwrite(writer, block, start)


def forget_copy(source: str, folder: str) -> None:
    """Remove what a killed `move_new` of `source` into `folder` left half copied."""
    Path(_part(source, os.path.join(folder, ""))).unlink(missing_ok=True)


def remove_tree(folder: str) -> None:
    """Remove a folder of our own, whatever of it is left."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
