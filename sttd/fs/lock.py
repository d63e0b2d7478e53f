"""A lock that is held as long as its holder lives: flock(2), which NFS passes on to other hosts.

Anybody who may read a file can take a shared lock on it, and so block an exclusive one. So only the owner may open the
lock's file. Others read from the kernel's table of locks whether it is held, which needs no right to the file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from sttd.errors import AlreadyRunning
from sttd.fs.regular import open_regular

MODE = 0o600
TABLE = Path("/proc/locks")


class Lock:
    """An exclusive lock on a file, which is created if it is missing.

    Args:
        path: of the file.
        what: the name of what is locked, for the message of AlreadyRunning.
        folder: a handle of the folder that the file lies in; None: it is found by its path.

    Raises:
        AlreadyRunning: somebody else holds it.
        OSError: the file cannot be opened or written, or is no regular file.
    """

    def __init__(self, path: Path, what: str, folder: int | None = None) -> None:
        self.path = path
        handle = open_regular(path if folder is None else path.name, os.O_RDWR | os.O_CREAT, MODE, folder)
        try:
            if stat.S_IMODE(os.fstat(handle).st_mode) != MODE:
                with contextlib.suppress(OSError):  # an older version's; some network shares know no modes
                    os.fchmod(handle, MODE)
            taken = _taken(handle)
        except OSError:
            os.close(handle)
            raise
        if not taken:
            os.close(handle)
            raise AlreadyRunning(f"another sttd holds {what} {path.parent}: stop it, or choose another folder")
        self._parked: socket.socket | None = _parked(handle)

    def release(self) -> None:
        parked, self._parked = self._parked, None
        if parked is not None:
            parked.close()


def _parked(handle: int) -> socket.socket:
    """Move the locked file from our table of open files into the queue of a socket. Closing the socket unlocks it.

    A process that ends closes all files in its table. On a FUSE mount the kernel then waits for the server, and no signal
    ends that wait: while a share hangs, the process would not end. A file in the queue of a socket (SCM_RIGHTS in unix(7))
    is closed without waiting for the server. The lock stays, as it belongs to the open file, not to its number (flock(2)).
    """
    here, there = socket.socketpair()
    with there:
        try:
            socket.send_fds(there, [b"l"], [handle])
        except OSError:
            here.close()
            raise
        finally:
            os.close(handle)
    return here


def _taken(handle: int) -> bool:
    """Take the lock. Waits half a second at most for the shared lock that root or an older sttd takes to look at it."""
    for tries_left in reversed(range(50)):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if tries_left:
                time.sleep(0.01)
        else:
            return True
    return False


def is_held(path: Path, holder: int | None = None, table: Path = TABLE) -> bool:
    """Whether some process holds the lock. Asked without any right to the file, and without disturbing its holder.

    Args:
        path: the lock's file.
        holder: the process that held it last, if known. On btrfs and overlayfs the table has other device numbers than
            stat(2): there, a lock of this process on the same inode number counts as a lock on this file.
        table: the kernel's locks, see /proc/locks in proc(5).

    Raises:
        PermissionError: the folder may not be entered.
    """
    return any(_exclusive(path, holder, table, "FLOCK"))


def ranges(path: Path, holder: int | None, table: Path = TABLE) -> Iterator[tuple[int, int]]:
    """The first and the last byte of each exclusive lock of fcntl(2) on a range of a file. Arguments and errors as above."""
    for words in _exclusive(path, holder, table, "POSIX"):
        if words[7] != "EOF":
            yield int(words[6]), int(words[7])


def _exclusive(path: Path, holder: int | None, table: Path, kind: str) -> Iterator[list[str]]:
    """The words of each line about an exclusive lock on a file. A line with `->` is about a process that waits: left out."""
    try:
        seen = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    device = os.major(seen.st_dev), os.minor(seen.st_dev)
    lines: list[str] = []
    with contextlib.suppress(OSError):  # a machine that hides it: nothing is known of any lock then
        lines = table.read_text("ascii").splitlines()
    for line in lines:
        words = line.split()
        if len(words) > 7 and words[1] == kind and words[3] == "WRITE":
            major, minor, number = words[5].split(":")
            is_ours = (int(major, 16), int(minor, 16)) == device or int(words[4]) == holder
            if int(number) == seen.st_ino and is_ours:
                yield words
