"""The hold on the inbox folder: a lock against a second daemon, and the mark by which the folder is recognised.

Both are one file, `.sttd.lock`. flock is passed on to other hosts by NFS. The mark is a random word that was
written into the file when it was made: device and inode numbers change when a share is mounted again, the mark does
not, and the bare folder under an unmounted share has another one or none.

While the folder is held, the open handle says which folder it is, and lock and mark are read and written through that
handle: by the path, if a share is unmounted between two steps, its mark would be written into the bare folder below.
A mirror (`rsync --delete`) that removes the file, or puts its own in its place, changes nothing: the mark is written again.

The hold keeps a file of the inbox open, so that its file system is busy for a plain `umount` while sttd runs.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import re
import stat
import uuid
from dataclasses import dataclass
from pathlib import Path

from sttd.errors import NotConfigured
from sttd.fs.blame import Blame, blame
from sttd.fs.lock import Lock
from sttd.fs.regular import open_regular
from sttd.host import sandbox
from sttd.own import LOCK

_MARK = re.compile(r"[0-9a-f]{32}")
_MARK_BYTES = 64  # read of the file, whatever its size
_SETUP = (errno.EROFS, errno.ENOLCK)  # how a mount is set up: waiting does not help


@dataclass(frozen=True, slots=True)
class FolderIdentity:
    """How the inbox of an earlier run is recognised."""

    path: str
    mark: str
    device: int
    inode: int


class ClaimState(enum.Enum):
    """What the path leads to now."""

    INTACT = "the folder that is held"
    UNMARKED = "the folder that is held, without our lock file in it"
    OTHER = "another folder"


class Claim:
    """The hold on one folder. `release` ends it.

    Args:
        root: the folder.
        before: the folder of an earlier run. If this one has the same device and inode and no mark, it gets that mark.
        setting: the setting that names the folder, for messages.

    Raises:
        AlreadyRunning: another sttd holds it.
        NotConfigured: it is missing, or it or its file system does not allow it; the message says what to do.
        OSError: the machine's fault; it passes.
    """

    def __init__(self, root: Path, before: FolderIdentity | None = None, setting: str = "paths.inbox") -> None:
        self._root = root
        self._setting = setting
        try:
            self._handle = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _refusal(root, error, setting) from error
        self._numbers = _numbers(os.fstat(self._handle))
        is_same = before is not None and (before.device, before.inode) == self._numbers
        try:
            self._take(before.mark if before is not None and is_same else uuid.uuid4().hex)
        except OSError as error:
            os.close(self._handle)
            raise _refusal(root, error, setting) from error
        except BaseException:
            os.close(self._handle)
            raise

    @property
    def folder(self) -> FolderIdentity:
        return FolderIdentity(os.fspath(self._root), self.mark, *self._numbers)

    def state(self) -> ClaimState:
        """What the path leads to now.

        The hold keeps a lazily unmounted file system alive: mounted again, it is the same one, and lock and watch still work.

        Raises:
            OSError: it cannot be looked at.
        """
        if _numbers(self._root.stat()) != self._numbers:
            return ClaimState.OTHER
        with contextlib.suppress(FileNotFoundError):
            if _numbers(_lock_file(self._handle)) == self._lock_numbers:
                return ClaimState.INTACT
        return ClaimState.UNMARKED

    def mark_again(self) -> None:
        """Put lock and mark back into the folder that is held, after somebody removed them.

        Raises:
            AlreadyRunning, NotConfigured, OSError: as in `Claim`; the old lock stays held.
        """
        before = self._lock
        try:
            self._take(self.mark, replace=True)
        except OSError as error:
            raise _refusal(self._root, error, self._setting) from error
        before.release()

    def is_deleted(self) -> bool:
        """Whether the folder that is held exists no more, anywhere."""
        try:
            return os.fstat(self._handle).st_nlink == 0
        except OSError:
            return False  # a dead mount says nothing

    def release(self) -> None:
        self._lock.release()
        os.close(self._handle)

    def _take(self, mark: str, *, replace: bool = False) -> None:
        """Take the lock, and read the mark in its file; write `mark` if there is none, or it is to be replaced."""
        lock = _locked(self._root, self._handle)
        try:
            found = None if replace else _read_mark(self._handle)
            if found is None:
                _write_mark(self._handle, mark)
            self.mark = found or mark
            self._lock_numbers = _numbers(_lock_file(self._handle))
        except BaseException:
            lock.release()
            raise
        self._lock = lock


def _locked(root: Path, folder: int) -> Lock:
    path = root / LOCK
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(_lock_file(folder).st_mode):
            raise NotConfigured(f"{path} is not a regular file: remove it, it is where sttd keeps its lock")
    lock = Lock(path, "the inbox", folder)
    if not os.access(".", os.R_OK | os.W_OK | os.X_OK, dir_fd=folder):
        lock.release()
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return lock


def _lock_file(folder: int) -> os.stat_result:
    return os.stat(LOCK, dir_fd=folder, follow_symlinks=False)


def _read_mark(folder: int) -> str | None:
    """The mark in the lock file. Only its first bytes are read: anybody who may write there can make it huge."""
    handle = open_regular(LOCK, folder=folder)
    try:
        found = _MARK.match(os.pread(handle, _MARK_BYTES, 0).decode("ascii", "replace"))
    finally:
        os.close(handle)
    return None if found is None else found[0]


def _write_mark(folder: int, mark: str) -> None:
    """Called with the lock held."""
    handle = open_regular(LOCK, os.O_WRONLY | os.O_TRUNC, folder=folder)
    try:
        os.write(handle, f"{mark}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def _numbers(seen: os.stat_result) -> tuple[int, int]:
    return seen.st_dev, seen.st_ino


def _refusal(root: Path, error: OSError, setting: str) -> OSError | NotConfigured:
    """What to raise: the error itself where it passes, else what is wrong with the inbox, and what to do."""
    return error if passes(error) else NotConfigured(_remedy(root, error, setting))


def passes(error: OSError) -> bool:
    """Whether an error may go away by itself: a dead mount, a full disk."""
    return blame(error) is Blame.MACHINE and error.errno not in _SETUP


def _remedy(root: Path, error: OSError, setting: str) -> str:
    start = f"the inbox {root}"
    if closed := sandbox.closed(str(root)):
        return f"{start} cannot be used ({error.strerror}): {closed}"
    match error:
        case FileNotFoundError():
            return f"{start} is missing: create it, mount it, or set {setting} to another folder"
        case NotADirectoryError():
            return f"{start} is not a folder: set {setting} to one"
        case PermissionError():
            return f"{start} cannot be read and written ({error.strerror}): chown it to the user that sttd runs as"
    if error.errno == errno.EROFS:
        return f"{start} is read-only: mount it writable, sources could not be filed away otherwise"
    if error.errno == errno.ENOLCK:
        return f"{start} is on a file system without locks: mount it with locks (NFS: rpc.statd, no `nolock`)"
    return f"{start} cannot be used ({error.strerror}): mend it, or set {setting} to another folder"
