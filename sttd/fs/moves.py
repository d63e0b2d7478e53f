"""Steps on files that may be killed at any point: nobody's file is replaced, and a file in its final place is on disk.

A file is given by an open folder and a name in it (sttd.fs.folder). Every function may raise OSError: disk full, no rights,
a dead mount. `sttd.fs.blame` decides whose fault it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from sttd.fs import copies
from sttd.fs.digest import digest_of
from sttd.fs.folder import Folder

RESULT_MODE = 0o640
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_NO_RENAME_NEW = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)  # NFS, old FUSE; a seccomp filter
_RENAME_NOREPLACE = 1  # linux/fs.h
_LOOK_AND_RENAME = threading.Lock()


def make_folder(path: str) -> None:
    """Create a folder and its parents; mode and group come from the folder above.

    Raises:
        NotADirectoryError: a file is in the way.
    """
    missing: list[str] = []
    above = Path(path)
    while not above.exists():
        missing.insert(0, above.name)
        above = above.parent
    with Folder.open(above) as folder:
        folder.make_below(missing).close()


def remove_tree(path: str) -> None:
    """Remove a folder of our own, whatever of it is left."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)


def write_whole(folder: Folder, name: str, write: Callable[[TextIO], None]) -> str:
    """Write and fsync a text file, a new one; returns its SHA-256. Lone surrogates are written as escapes."""
    return write_together(folder, [name], lambda files: write(files[name]))[name]


def write_together(
    folder: Folder, names: Sequence[str], write: Callable[[Mapping[str, TextIO]], None]
) -> dict[str, str]:
    """As `write_whole`, for several files that are written at the same time; returns the SHA-256 of each by its name."""
    with contextlib.ExitStack() as opened:
        files: dict[str, TextIO] = {}
        for name in names:
            folder.discard(name)
            handle = folder.create(name, RESULT_MODE)
            files[name] = opened.enter_context(
                os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n")
            )
        write(files)
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    return {name: sum_of(folder, name) for name in names}


def sum_of(folder: Folder, name: str) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    handle = folder.open_file(name)
    try:
        return digest_of(handle)
    finally:
        os.close(handle)


def secure(folder: Folder, name: str, mode: int | None = None) -> None:
    """Fsync a file, because whoever dropped it may not have; set its mode if we own it."""
    handle = folder.open_file(name)
    try:
        if mode is not None:
            with contextlib.suppress(PermissionError):  # another user's: nobody else may change it
                os.fchmod(handle, mode)
        os.fsync(handle)
    finally:
        os.close(handle)


def rename_new(source: Folder, name: str, target: Folder, new: str) -> None:
    """Rename a file within its file system, to a name that is free.

    Raises:
        FileExistsError: the name is taken.
    """
    try:
        if not _rename_noreplace(source, name, target, new):
            _rename_linked(source, name, target, new)
    except FileExistsError:
        here, there = source.stat(name), target.stat(new)
        if here is None or there is None or not os.path.samestat(here, there):
            raise
        drop_first_name(source, name, target)  # an earlier try was killed between link and unlink
    except FileNotFoundError as error:
        if source.stat(name) is None:
            raise
        raise target.refusal(error) from None


def _rename_noreplace(source: Folder, name: str, target: Folder, new: str) -> bool:
    """In one step, renameat2(2). False: the file system or the C library does not know it."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    flags = ctypes.c_uint(_RENAME_NOREPLACE)
    if rename(source.handle, os.fsencode(name), target.handle, os.fsencode(new), flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_RENAME_NEW:
        return False
    raise OSError(number, os.strerror(number), source.path_of(name), None, target.path_of(new))


def _rename_linked(source: Folder, name: str, target: Folder, new: str) -> None:
    """In two steps: link the new name, then remove the old one."""
    try:
        source.link(name, target, new)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _look_and_rename(source, name, target, new)
    else:
        end_move(source, name, target, new)


def drop_first_name(source: Folder, name: str, target: Folder) -> None:
    """End a move by removing the old name: the file is in `target` by now."""
    target.sync()  # a power cut must not keep the removal and lose the new name
    source.unlink(name)
    source.sync()


def end_move(source: Folder, name: str, target: Folder, new: str) -> None:
    """As `drop_first_name`, but if the old name may not be removed (a sticky folder), the new one is removed again."""
    try:
        drop_first_name(source, name, target)
    except PermissionError:
        if source.stat(name) is not None:  # else the old name is gone, and only the fsync was refused
            target.discard(new)
        raise


def _look_and_rename(source: Folder, name: str, target: Folder, new: str) -> None:
    """For file systems without hard links too, as some network file systems are.

    If somebody else's file gets the name between the two calls, it is lost: such a file system offers nothing better.
    Reserving the name with an empty file would not do: after a power cut nobody could tell whose that file is.
    """
    with _LOOK_AND_RENAME:
        if target.stat(new) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target.path_of(new))
        source.rename(name, target, new)


def move_new(source: Folder, name: str, target: Folder, new: str) -> None:
    """As `rename_new`, and across file systems too: there the file is copied, fsynced and compared before the old one goes."""
    try:
        rename_new(source, name, target, new)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_new(source, name, target, new)


def copy_new(source: Folder, name: str, target: Folder, new: str) -> None:
    """As `move_new`, but always by a copy: that has the group of new files in its folder, which a rename would not give."""
    if target.stat(new) is not None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target.path_of(new))
    temporary = copies.make(source, name, target)
    try:
        rename_new(target, temporary, target, new)
    except OSError:
        target.discard(temporary)  # a disk that is full needs its room
        raise
    end_move(source, name, target, new)


def is_moved(source: Folder, name: str, target: Folder, new: str) -> bool:
    """Whether `new` is the same file already, or its copy on another mount: a move was killed before it was whole."""
    here, there = source.file(name), target.file(new)
    if here is None or there is None:
        return False
    if os.path.samestat(here, there):
        return True
    return source.mount() != target.mount() and copies.is_copy(source, name, target, new)
