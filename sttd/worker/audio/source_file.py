"""The recording as a file: checks that it is the one that was queued, and keeps the error if it cannot be read.

FFmpeg reads it through this object and nothing else, so that an error of the disk or the network is told apart from
damage in the recording: FFmpeg takes either for the end of the file.
"""

from __future__ import annotations

import bisect
import errno
import itertools
import os
import stat
from collections.abc import Callable
from pathlib import PurePath

from sttd.fs.folder import folder_on_the_way
from sttd.fs.rights import why_unreadable
from sttd.fs.sparse import is_unwritten
from sttd.part import Cause
from sttd.worker.errors import PartFailed

_GONE = {errno.ENOENT, errno.ENOTDIR}
_FAR = 64 * 2**20  # more than any head that a small file could have
_PIECE = 2**20  # bytes
_REPLACED = "there is something else now where the file was, which is no regular file"  # only regular files are queued
_MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class SourceFile:
    """A regular file, open for reading; for `av.open`."""

    def __init__(
        self, path: str, size: int, mtime_ns: int, alive: Callable[[], None] = lambda: None,
        *, below: str = "", handle: int | None = None,
    ) -> None:  # fmt: skip
        """Open `path`, which must be `size` bytes long and last changed at `mtime_ns`.

        `alive` is called for each `_FAR` bytes that were not read before: that is progress, as in a search for sound in a large
        film. Reading the same bytes again is none: FFmpeg may be stuck in a head.
        `below`: a folder on the way; from it on no link is followed, neither there nor to the file.
        `handle`: an open file that is read instead; of `path` the suffix alone counts then.

        Raises:
            PartFailed: GONE (also where something else than a regular file is there now), CHANGED, UNREADABLE or MACHINE,
                of these all but GONE retriable; BAD_FILE where it is empty.
        """
        self.name = "recording" + _suffix(path)
        self.error: OSError | None = None  # the first one while reading
        self._unread = 0  # the byte at which it came
        self._identity = (size, mtime_ns)
        self._at = 0
        self.alive = alive
        self._pieces: set[int] = set()  # numbers of the pieces in which something was read
        self._fresh = 0  # bytes of these since the last call
        self._amended: list[tuple[int, bytes]] = []
        self._left_out: list[tuple[int, int]] = []  # from where to where, in order
        self._joints: list[int] = []  # places where these are, as the file is read
        self._size = size  # without these
        # no wait for the writer of a FIFO; no link, which could have been put there to show another's file
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY
        try:
            self._fd = _open(path, below, flags) if handle is None else os.dup(handle)
        except OSError as error:
            raise _not_opened(path, error) from error
        try:
            self._check_kind()
            self.check_identity()
        except PartFailed:
            self.close()
            raise

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes; none at the end or after it, wherever a head may point."""
        if self._at >= self._size:
            return b""
        place, most = self._place()
        try:
            data = os.pread(self._fd, most if count < 0 else min(count, most), place)
        except OSError as error:
            if self.error is None:
                self.error, self._unread = error, place
            raise
        for at, right in self._amended:
            data = _overlaid(data, at - place, right)
        self._at += len(data)
        if place // _PIECE not in self._pieces:
            self._pieces.add(place // _PIECE)
            self._fresh += _PIECE
        if self._fresh >= _FAR:
            self._fresh = 0
            self.alive()
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def amend(self, at: int, data: bytes) -> None:
        """From now on read `data` at this place, whatever the file has there: a head that is wrong is put right for FFmpeg."""
        self._amended.append((at, data))

    def leave_out(self, first: int, last: int) -> None:
        """From now on the file is read as if the bytes from `first` to before `last` were not in it.

        Both are places in the file as it is on disk, outside of what was left out before; the same holds for `amend`.
        """
        bisect.insort(self._left_out, (first, last))
        self._size -= last - first
        if self._left_out[-1] == (first, last):  # mostly: there may be thousands
            self._joints.append(self._size - (self._identity[0] - last))
        else:
            gone = itertools.accumulate((end - begin for begin, end in self._left_out), initial=0)
            self._joints = [begin - before for (begin, _), before in zip(self._left_out, gone, strict=False)]

    def _place(self) -> tuple[int, int]:
        """Where in the file the next byte is, and how many of them follow each other there."""
        number = bisect.bisect_right(self._joints, self._at)
        place = self._at + (self._left_out[number - 1][1] - self._joints[number - 1] if number else 0)
        return place, (self._left_out[number][0] if number < len(self._left_out) else self._identity[0]) - place

    def check_identity(self) -> None:
        """Check that the file is still the one that was queued.

        Raises:
            PartFailed: CHANGED; or UNREADABLE where the file system does not say.
        """
        try:
            now = os.fstat(self._fd)
        except OSError as error:
            raise _unreadable(error) from error
        if (now.st_size, now.st_mtime_ns) != self._identity:
            raise PartFailed(Cause.CHANGED, "the file has changed since it was queued", retriable=True)

    def check_read(self) -> None:
        """Check that all reads went well, whatever FFmpeg made of an error.

        Raises:
            PartFailed: UNREADABLE, with the place.
        """
        if self.error is not None:
            raise _unreadable(self.error, self._unread) from self.error

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _check_kind(self) -> None:
        kind = os.fstat(self._fd)
        if not stat.S_ISREG(kind.st_mode):
            raise PartFailed(Cause.GONE, _REPLACED)
        if kind.st_size == 0 == self._identity[0]:
            raise PartFailed(Cause.BAD_FILE, "the file is empty; copy it again")
        if is_unwritten(self._fd):
            text = f"the file is mostly holes ({kind.st_blocks // 2048} of {kind.st_size // 2**20} MiB were written)"
            raise PartFailed(Cause.BAD_FILE, f"{text}: an unfinished copy or download; copy it again")


def _open(path: str, below: str, flags: int) -> int:
    if not below:
        return os.open(path, flags)
    with folder_on_the_way(path, below) as folder:
        return os.open(PurePath(path).name, flags, dir_fd=folder.handle)


def _overlaid(data: bytes, at: int, right: bytes) -> bytes:
    """`data` with `right` from index `at` on, which may lie before it, behind it, or across its ends."""
    first, last = max(0, at), min(len(data), at + len(right))
    return data[:first] + right[first - at : last - at] + data[last:] if first < last else data


def _suffix(path: str) -> str:
    """FFmpeg uses the suffix where the content leaves a doubt; nothing else of the name may reach it."""
    suffix = PurePath(path).suffix
    return suffix if suffix.isascii() and suffix[1:].isalnum() else ""


def _not_opened(path: str, error: OSError) -> PartFailed:
    if error.errno in _GONE:
        return PartFailed(Cause.GONE, "the file is not there any more")
    if error.errno == errno.ELOOP:
        return PartFailed(Cause.GONE, "there is a symbolic link now where the file was")
    if error.errno == errno.ENXIO:  # a socket, or a device that nobody serves
        return PartFailed(Cause.GONE, _REPLACED)
    if error.errno in _MACHINE:
        return PartFailed(Cause.MACHINE, f"the file could not be opened: {error.strerror}", retriable=True)
    if isinstance(error, PermissionError):
        return PartFailed(Cause.UNREADABLE, f"the file cannot be read: {why_unreadable(path)}", retriable=True)
    return _unreadable(error)


def _unreadable(error: OSError, place: int = 0) -> PartFailed:
    text = f"the file could not be read: {error.strerror or error}"
    return PartFailed(Cause.UNREADABLE, text, retriable=True, unread=place)
