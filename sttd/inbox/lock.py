"""The hold on the inbox folder: a lock against a second daemon, and the mark by which the folder is known again.

Both are one file, `.sttd.lock`. flock is passed on to other hosts by NFS. The mark is a random word that was
written into the file when it was made: device and inode numbers change when a share is mounted again, the mark does
not, and the bare folder under an unmounted share has another one or none.

The hold keeps a file of the inbox open, so that its file system is busy for a plain `umount` while sttd runs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import uuid
from pathlib import Path

from sttd.errors import NotConfigured
from sttd.fs.lock import Lock
from sttd.inbox.rules import OWN

LOCK = f"{OWN}.lock"
_MARK = re.compile(r"[0-9a-f]{32}")


class Claim:
    """The hold on one folder. `release` ends it.

    Raises:
        AlreadyRunning: another sttd holds it.
        NotConfigured: it is missing, or it or its file system does not allow it; the message says what to do.
    """

    def __init__(self, root: Path) -> None:
        try:
            self._handle = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise NotConfigured(_remedy(root, error)) from error
        try:
            self._lock = _locked(root)
            try:
                self.mark = _read_mark(root / LOCK)
                self._identity = _numbers(os.fstat(self._handle))
                self._lock_identity = _numbers((root / LOCK).lstat())
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            os.close(self._handle)
            raise NotConfigured(_remedy(root, error)) from error
        except BaseException:
            os.close(self._handle)
            raise
        self._root = root

    def is_intact(self) -> bool:
        """Whether the path still leads to the folder that is held, with its lock file in it.

        The hold keeps a lazily unmounted file system alive: mounted again it is the same, and lock and watch still hold.

        Raises:
            OSError: it cannot be looked at.
        """
        if _numbers(self._root.stat()) != self._identity:
            return False
        with contextlib.suppress(FileNotFoundError):
            return _numbers((self._root / LOCK).lstat()) == self._lock_identity
        return False

    def is_deleted(self) -> bool:
        """Whether the folder that is held exists no more, anywhere."""
        try:
            return os.fstat(self._handle).st_nlink == 0
        except OSError:
            return False  # a dead mount says nothing

    def release(self) -> None:
        self._lock.release()
        os.close(self._handle)


def _locked(root: Path) -> Lock:
    path = root / LOCK
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise NotConfigured(f"{path} is not a regular file: remove it, it is where sttd keeps its lock")
    lock = Lock(path, "the inbox")
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        lock.release()
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return lock


def _read_mark(path: Path) -> str:
    """The mark in the lock file; a new one where there is none. Called with the lock held."""
    found = _MARK.match(path.read_bytes()[:64].decode("ascii", "replace"))
    if found:
        return found[0]
    mark = uuid.uuid4().hex
    handle = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.write(handle, f"{mark}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    return mark


def _numbers(seen: os.stat_result) -> tuple[int, int]:
    return seen.st_dev, seen.st_ino


def _remedy(root: Path, error: OSError) -> str:
    """What is wrong with the inbox, and what to do."""
    start = f"the inbox {root}"
    match error:
        case FileNotFoundError():
            return f"{start} is missing: create it, mount it, or set paths.inbox to another folder"
        case NotADirectoryError():
            return f"{start} is not a folder: set paths.inbox to one"
        case PermissionError():
            return f"{start} cannot be read and written ({error.strerror}): chown it to the user that sttd runs as"
    if error.errno == errno.EROFS:
        return f"{start} is read-only: mount it writable, sources could not be filed away otherwise"
    if error.errno == errno.ENOLCK:
        return f"{start} is on a file system without locks: mount it with locks (NFS: rpc.statd, no `nolock`)"
    return f"{start} cannot be used ({error.strerror}): mend it, or set paths.inbox to another folder"
