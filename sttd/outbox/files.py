"""Steps on files that the outbox is made of: none replaces anything, each is durable when it returns.

Every function may raise OSError (disk full, not allowed, mount away): the machine's fault, to be tried again.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from sttd.job import Identity

FILE_MODE = 0o640
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1  # linux/fs.h
# the file system (NFS, some FUSE ones) or the C library cannot rename so
_NO_RENAME = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
# no hard links (vfat, exfat, some SMB), or not to somebody else's file (fs.protected_hardlinks), or too many
_NO_LINK = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK})
MARK = ".sttd-reserved"


def move(source: Path, target: Path) -> None:
    """Rename on one file system without replacing, by what it knows: renameat2, link, or a name that was reserved.

    If it is killed, `source` is either still there, and the same call finishes, or it is gone and `target` is there.
    Folders are not fsynced.

    Raises:
        FileExistsError: `target` is taken.
        OSError: EXDEV for another file system, and all others.
    """
    try:
        _rename_noreplace(source, target)
        return
    except OSError as error:
        if error.errno not in _NO_RENAME:
            raise
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        if not _is_same(source, target):  # linked by a call that was killed, or NFS asked twice
            raise
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        _rename_reserved(source, target)
        return
    os.unlink(source)


def may_move(source: Path, target: Path) -> bool:
    """Whether `target` is free, or half taken by a `move` of this source that was killed."""
    return not os.path.lexists(target) or _is_same(source, target) or _is_reserved(source, target)


def _rename_noreplace(source: Path, target: Path) -> None:
    rename = getattr(_LIBC, "renameat2", None)
    if rename is None:  # a C library older than glibc 2.28
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if rename(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), ctypes.c_uint(_RENAME_NOREPLACE)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(source), None, str(target))


_LIBC = ctypes.CDLL(None, use_errno=True)


def _is_same(source: Path, target: Path) -> bool:
    try:
        return os.path.samestat(os.lstat(source), os.lstat(target))
    except FileNotFoundError:
        return False


def _rename_reserved(source: Path, target: Path) -> None:
    """Take the name with O_EXCL, then rename over the empty file.

    A mark beside `source` says so beforehand, so that after a kill the empty file is known to be ours.
    """
    mark = source.with_name(MARK)
    ours = _is_reserved(source, target)
    if not ours:
        write(mark, os.fsencode(target))
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            os.unlink(mark)
            raise
    os.rename(source, target)
    os.unlink(mark)


def _is_reserved(source: Path, target: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        seen = os.lstat(target)
        marked = source.with_name(MARK).read_bytes() == os.fsencode(target)
        return marked and stat.S_ISREG(seen.st_mode) and seen.st_size == 0
    return False


def write(path: Path, data: bytes) -> None:
    """Write a small file of our own whole or not at all, replacing what is there; durable but for its folder."""
    fresh = path.with_name(f"{path.name}.new")
    with open(fresh, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


@contextlib.contextmanager
def text_file(path: Path, group: int) -> Iterator[TextIO]:
    """A new text file, fsynced at the end: UTF-8, `\\n`, mode 0640 and `group` where that may be set."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        adopt(file.fileno(), group)
        yield file
        file.flush()
        os.fsync(file.fileno())


def adopt(file: int | Path, group: int) -> None:
    """Mode 0640 and `group`, as far as the owner and the file system (vfat, SMB) allow it."""
    with contextlib.suppress(PermissionError):
        os.chown(file, -1, group)
    with contextlib.suppress(PermissionError):
        os.chmod(file, FILE_MODE)


def make_folders(root: Path, folders: Sequence[str]) -> Path:
    """`root` and `folders` as a path; those that are missing are made with the mode and the group of their parent.

    Raises:
        FileNotFoundError: `root` is missing: it may be a mount that is away.
        NotADirectoryError: a file is where a folder must be.
    """
    path, above = root, os.stat(root)
    for name in folders:
        path = path / name
        try:
            os.mkdir(path, stat.S_IMODE(above.st_mode))
        except FileExistsError:
            above = os.stat(path)
            if not stat.S_ISDIR(above.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
            continue
        with contextlib.suppress(PermissionError):
            os.chown(path, -1, above.st_gid)
        with contextlib.suppress(PermissionError):
            os.chmod(path, stat.S_IMODE(above.st_mode) & ~stat.S_ISVTX)
        fsync_folder(path.parent)
        above = os.stat(path)
    return path


def fsync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that knows no such thing
            raise
    finally:
        os.close(handle)


def look(path: Path) -> os.stat_result | None:
    """What lies there; None: nothing. Links are not followed."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_version(seen: os.stat_result, identity: Identity) -> bool:
    """Whether it is a regular file of this size and time."""
    return stat.S_ISREG(seen.st_mode) and Identity(seen.st_size, seen.st_mtime_ns) == identity


def digest(path: Path) -> str:
    """SHA-256 of a file that is no link."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_below(root: Path, folders: Sequence[str]) -> bool:
    """Whether `folders` are real folders below `root`, each no symbolic link that leads elsewhere."""
    path = root
    for name in folders:
        path = path / name
        seen = look(path)
        if seen is None or not stat.S_ISDIR(seen.st_mode):
            return False
    return True
