"""A file that is being received: it lies in the inbox under a name that sttd passes over, until it is whole.

inbox/.sttd-upload-RANDOM.mp3    written, and locked by the process that writes it
inbox/meeting.mp3                what it becomes, by a rename that replaces nothing
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from starlette.exceptions import HTTPException

from sttd.fs.folder import Folder
from sttd.inbox.content import is_recording
from sttd.job import Identity
from sttd.own import LOCK, UPLOAD
from sttd.units import format_size

_MODE = 0o640  # the group of the folder reads it, and the daemon is in that
_SPARE = 2**30  # bytes that stay free on a large disk, and of a small one
_SPARE_SHARE = 0.05
_AWAY = "the inbox is away, or sttd has not run here yet: see `sttd status`"
_LATER = {"Retry-After": "60"}


@contextlib.contextmanager
def inbox(path: Path) -> Iterator[Folder]:
    """The folder, if it is the inbox. The bare folder below a share that is not mounted is not.

    Raises:
        HTTPException: 503 where it is away.
    """
    try:
        folder = Folder.open(path)
    except OSError as error:
        raise HTTPException(503, f"{_AWAY} ({error.strerror})", _LATER) from None
    with folder:
        if folder.file(LOCK) is None:
            raise HTTPException(503, _AWAY, _LATER)
        yield folder


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """What a file system refuses meanwhile, as an answer: HTTPException 507 where it is full, else 503."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HTTPException(507, "the disk of the inbox is full: make room, and send it again") from None
        raise HTTPException(503, f"the inbox cannot be used: {error.strerror}", _LATER) from None


def require_room(folder: Folder, wanted: int) -> None:
    """Raises HTTPException (507) where the disk has no room for so many bytes, and a rest."""
    disk = os.fstatvfs(folder.handle)
    free = disk.f_bavail * disk.f_frsize
    spare = min(_SPARE, int(_SPARE_SHARE * disk.f_blocks * disk.f_frsize))
    if free - wanted < spare:
        room = max(0, free - spare) >> 20
        raise HTTPException(
            507, f"the disk of the inbox is full: it has room for {room} MiB. Make room, and send it again"
        )


class Upload:
    """One such file. Its methods block."""

    def __init__(self, folder: Folder, suffix: str, limit: float) -> None:
        """Begin.

        Args:
            folder: the inbox; it stays open for as long as this.
            suffix: of the name that it is to get, with the dot.
            limit: bytes that it may have.
        """
        self.folder = folder
        self.name = f"{UPLOAD}{secrets.token_hex(8)}{suffix}"
        self.size = 0
        self.limit = limit
        self._digest = hashlib.sha256()
        self._handle = folder.create(self.name, _MODE)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def write(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            HTTPException: 413 or 507, it is too large for the limit or the disk.
        """
        self.require_size(self.size + len(data))
        require_room(self.folder, len(data))
        self._digest.update(data)
        self._write(data)

    def require_size(self, size: int) -> None:
        """Raises HTTPException (413) where so many bytes are too many."""
        if size > self.limit:
            limit = format_size(self.limit)
            raise HTTPException(413, f"it is larger than {limit}, which is the most that web.max_upload allows")

    def _write(self, data: bytes, at: int | None = None) -> None:
        left, at = memoryview(data), self.size if at is None else at
        while left:
            written = os.pwrite(self._handle, left, at)
            left, at = left[written:], at + written
        self.size = max(self.size, at)

    def put(self, head: bytes) -> None:
        """Overwrite the first bytes; they do not count for `digest`."""
        self._write(head, 0)

    @property
    def digest(self) -> str:
        """The SHA-256 of what was written, in hexadecimal."""
        return self._digest.hexdigest()

    def sync(self) -> Identity:
        """Bring it to the disk. Returns what the ledger will know it by: it was changed at this moment.

        Raises:
            HTTPException: it is empty, or no recording by its first bytes.
        """
        if not self.size:
            raise HTTPException(400, "it is empty")
        if not is_recording(self.folder.path_of(self.name)):
            raise HTTPException(
                415, "it is no recording, by its first bytes: other kinds of files have this suffix too"
            )
        return self.touch(time.time_ns())

    def touch(self, now: int) -> Identity:
        """Give it a time of change (nanoseconds), and bring it to the disk."""
        os.utime(self._handle, ns=(now, now))
        os.fsync(self._handle)
        return Identity.of(os.fstat(self._handle))

    def close(self) -> None:
        """Remove it if it still has its private name."""
        self.folder.discard(self.name)
        os.close(self._handle)


def begin(path: Path, limit: float, suffix: str, expected: int | None, stack: contextlib.ExitStack) -> Upload:
    """A new upload, which ends with `stack`.

    Args:
        path: the inbox.
        limit: see `Upload`.
        suffix: see `Upload`.
        expected: bytes that will come, if that is known.
        stack: of the request.

    Raises:
        HTTPException: 413, 503 or 507: it would be too large, or the inbox is away or full.
        OSError: the inbox cannot be written.
    """
    folder = stack.enter_context(inbox(path))
    upload = Upload(folder, suffix, limit)
    stack.callback(upload.close)
    if expected is not None:
        upload.require_size(expected)
        require_room(folder, expected)
    return upload


def remove_leftovers(path: Path) -> int:
    """Remove what processes left that were killed while they received a file; returns how many there were.

    Raises:
        OSError: the inbox cannot be read.
    """
    removed = 0
    with Folder.open(path) as folder:
        for name in folder.names():
            if name.startswith(UPLOAD):
                removed += _remove(folder, name)
    return removed


def _remove(folder: Folder, name: str) -> bool:
    """Whether it was nobody's. One that another process writes now is locked by that."""
    try:
        handle = folder.open_file(name)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.discard(name)
    except (BlockingIOError, PermissionError):
        return False
    finally:
        os.close(handle)
    return True
