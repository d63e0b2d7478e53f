"""Room for the recordings that the head has sent, in files without a name.

Such a file (O_TMPFILE of open(2)) is gone with the last process that has it open, whatever ends that: SIGKILL, the machine's
loss of power, a full disk. The worker's processes inherit the files, because they may open nothing that has no name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import context
from pathlib import Path
from typing import Any

ENTRIES = (
    4  # recordings that are kept at once, so that short ones between the parts of a long one do not cost it its place
)
_SPARE = 64 * 2**20  # bytes that are left free for others

Key = tuple[str, int, int, tuple[str, str] | None]  # of a recording: path on the head, size, time, ends


class NoRoom(Exception):
    """The recording does not fit into the spool folder; the message is a sentence with the remedy."""


class Inherited:
    """A file descriptor that a spawned process inherits, under the same number."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __reduce__(self) -> tuple[Any, ...]:
        spawning: Any = context.get_spawning_popen()
        return int, (spawning.duplicate_for_child(self._handle),)


@dataclass(slots=True, eq=False)
class Entry:
    """One file."""

    writer: int  # file descriptors of the same file
    reader: int  # for the worker, which cannot change it
    key: Key | None = None  # of the recording that is whole in it
    turn: int = 0  # when it was used last
    is_taken: bool = False  # a recording is being written to it


class Shelf:
    """The files of one far side."""

    def __init__(self, folder: Path | None = None) -> None:
        """Make the files; they take no room yet.

        Raises:
            OSError: none can be made in the folder.
        """
        self._folder = folder or Path(tempfile.gettempdir())
        self._entries = [_entry(self._folder) for _ in range(ENTRIES)]
        self._turn = 0
        self._lock = threading.Lock()

    def inherited(self) -> tuple[Inherited, ...]:
        """What the worker's process is to inherit."""
        return tuple(Inherited(entry.reader) for entry in self._entries)

    def find(self, key: Key) -> Entry | None:
        """The entry that holds this recording whole, if there is one."""
        with self._lock:
            found = next((entry for entry in self._entries if entry.key == key), None)
            if found is not None:
                self._turn += 1
                found.turn = self._turn
            return found

    @contextlib.contextmanager
    def entry(self, key: Key, size: int) -> Iterator[Entry]:
        """An entry with room for `size` bytes, to be filled within `with`; an exception empties it again.

        The recordings that were used longest ago make room for it.

        Raises:
            NoRoom: even an empty shelf has not so much room.
            OSError: the file system fails.
        """
        with self._lock:
            chosen = self._reserved(size)
        try:
            yield chosen
        except BaseException:
            _clear(chosen)
            raise
        else:
            chosen.key = key
        finally:
            chosen.is_taken = False

    def forget(self, source: str) -> None:
        """Drop the recordings that were sent under this path of the head."""
        with self._lock:
            for entry in self._entries:
                if entry.key is not None and entry.key[0] == source:
                    _clear(entry)

    def _reserved(self, size: int) -> Entry:
        """An empty entry, marked as taken."""
        free = [entry for entry in self._entries if not entry.is_taken]
        if not free:
            raise NoRoom(f"{self._folder} takes no more recordings: what was sent to it before is still being written")
        chosen, *others = sorted(free, key=lambda entry: (entry.key is not None, entry.turn))
        _clear(chosen)
        for other in others:
            if self._free() >= size + _SPARE:
                break
            _clear(other)
        if self._free() < size + _SPARE:
            raise self._no_room(size)
        try:
            os.posix_fallocate(chosen.writer, 0, size)
        except OSError as error:
            _clear(chosen)
            raise self._no_room(size) if is_full(error) else error from error
        self._turn += 1
        chosen.turn, chosen.is_taken = self._turn, True
        return chosen

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _no_room(self, size: int) -> NoRoom:
        return NoRoom(
            f"no room for the recording ({size / 2**20:.0f} MiB) in {self._folder}, where {self._free() / 2**20:.0f} MiB are free:"
            " make room there, or give it another folder by `sttd worker --spool DIR`"
        )


def is_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _clear(entry: Entry) -> None:
    """Give its room back."""
    entry.key = None
    os.ftruncate(entry.writer, 0)


def _entry(folder: Path) -> Entry:
    try:
        writer = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
        writer = _named(folder)
    return Entry(writer, os.open(f"/proc/self/fd/{writer}", os.O_RDONLY | os.O_CLOEXEC))


def _named(folder: Path) -> int:
    """For a file system that has no files without a name (NFS): a named file that is unlinked at once."""
    handle, path = tempfile.mkstemp(prefix="sttd-", dir=folder)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108
    return handle
