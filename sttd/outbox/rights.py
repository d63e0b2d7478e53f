"""Why a file may not be moved out of its folder, or into it, in words with a remedy. rename(2) only says EACCES or EPERM."""

from __future__ import annotations

import array
import fcntl
import os
import stat

from sttd.fs.folder import Folder

_GET_FLAGS = 0x80086601  # FS_IOC_GETFLAGS, ioctl_iflags(2)
_FIXED = 0x10 | 0x20  # FS_IMMUTABLE_FL, FS_APPEND_FL


def why_unmovable(folder: Folder, name: str) -> str | None:
    """What permanently keeps us from moving a file out of its folder, with the remedy; None: nothing, a later try may succeed.

    Some file servers refuse only as long as somebody has the file open.
    """
    seen, file = os.fstat(folder.handle), folder.file(name)
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder.handle, effective_ids=True):
        return f"sttd may not move files out of {folder.path} (made with a umask of 022?): chmod g+w it"
    if seen.st_mode & stat.S_ISVTX and file is not None and os.geteuid() not in (0, seen.st_uid, file.st_uid):
        return f"sttd may not move other people's files out of {folder.path}, which is sticky: chmod -t it"
    if _is_fixed(folder.handle):
        return f"{folder.path} is immutable: chattr -i -a it"
    if file is not None:
        handle = folder.open_file(name)
        try:
            if _is_fixed(handle):
                return f"{folder.path_of(name)} is immutable: chattr -i -a it"
        finally:
            os.close(handle)
    return None


def why_unwritable(folder: Folder) -> str | None:
    """What permanently keeps us from writing into a folder of the inbox, with the remedy; None: a later try may succeed."""
    if os.statvfs(folder.handle).f_flag & os.ST_RDONLY:
        return f'{folder.path} is mounted read-only: mount it writable, or set output.place to "transcripts"'
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder.handle, effective_ids=True):
        return (
            f"sttd may not write into {folder.path}: give its group to sttd's user and chmod g+w it, or set output.place "
            'to "transcripts"'
        )
    return f"{folder.path} is immutable: chattr -i -a it" if _is_fixed(folder.handle) else None


def _is_fixed(handle: int) -> bool:
    """Whether a file or folder is immutable or append-only (attributes i and a of chattr(1))."""
    flags = array.array("L", [0])
    try:
        fcntl.ioctl(handle, _GET_FLAGS, flags)
    except OSError:  # a file system without attributes
        return False
    return bool(flags[0] & _FIXED)
