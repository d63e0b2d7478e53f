"""Results beside their recordings lie on the disks of a library: what is wrong with one of these is none of the others' business.

A disk is known by the table of mounts (proc(5), /proc/self/mountinfo), where a disk that does not answer has its line too.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from sttd.errors import SttdError
from sttd.fs import mounts, moves
from sttd.fs.blame import is_of_a_disk, takes_nothing
from sttd.fs.folder import Folder
from sttd.outbox.places import Places
from sttd.outbox.plan import BESIDE

_TRIED = ".tried"  # a file that is written to see whether a disk works
_BLOCK = 2**16  # bytes


@dataclass(frozen=True, slots=True)
class DiskFolder:
    """What of an inbox lies on one disk: a folder, but not those folders in it where other disks are mounted."""

    device: str  # see `Mount.device`
    path: str  # of the folder, for messages
    inbox: str  # its name
    folder: str  # below the inbox; "" is the inbox itself
    apart: tuple[str, ...] = ()  # folders below the inbox

    def holds(self, inbox: str, path: str) -> bool:
        """Whether a path below an inbox lies on it, going by the names."""
        if inbox != self.inbox or (self.folder and not mounts.is_below(path, self.folder)):
            return False
        return not any(mounts.is_below(path, each) for each in self.apart)


class DiskTrouble(SttdError):
    """A disk of the library is full, failing or away: whatever goes to it waits, everything else goes on."""

    def __init__(self, text: str, where: DiskFolder) -> None:
        super().__init__(text)
        self.where = where


class FileTrouble(SttdError):
    """One recording, or the folder that it lies in, cannot be read or written, on a disk that works: only its job waits."""


@contextlib.contextmanager
def near(place: str, source: str, location: str | None, places: Places) -> Iterator[None]:
    """Within it only a recording is touched, and what lies beside it.

    Args:
        place: as `Plan.place`; with another one than BESIDE errors stay as they are.
        source: as `Job.source`.
        location: as `Job.location`.
        places: the folders.

    Raises:
        DiskTrouble, FileTrouble: instead of an error of the disk that they lie on.
    """
    try:
        yield
    except OSError as error:
        told = trouble(error, source, location, places) if place == BESIDE else None
        if told is None:
            raise
        raise told from error


def trouble(error: OSError, source: str, location: str | None, places: Places) -> DiskTrouble | FileTrouble | None:
    """What an error means that was met beside a recording; None: it is no more than any error of the machine, or of one file.

    It is everybody's where the results of all recordings are prepared on the same disk.
    """
    where = disk_of(source, location, places) if is_of_a_disk(error) else None
    if where is None or where.device == _device_of(os.fspath(places.paths.transcripts)):
        return None
    if takes_nothing(error) or not _takes_a_file(where.path):
        return DiskTrouble(f"the disk of {where.path}: {error}", where)
    return FileTrouble(str(error))


def disk_of(source: str, location: str | None, places: Places) -> DiskFolder | None:
    """The disk that a recording in an inbox lies on; None: it lies in no inbox, or the mounts are not known."""
    found = places.inbox_of(source, location)
    if found is None:
        return None
    name, inbox, below = found
    every = mounts.read()
    real = os.path.realpath(inbox)
    mount = mounts.holding(os.path.join(real, below), every)
    if mount is None:
        return None
    folder = _relative(mount.point, real)
    path = os.path.join(inbox, folder) if folder else os.fspath(inbox)
    others = [_relative(each.point, real) for each in every if each.device != mount.device]
    apart = tuple(each for each in others if each and mounts.is_below(each, folder or each) and each != folder)
    return DiskFolder(mount.device, path, name, folder, apart)


def _relative(point: str, inbox: str) -> str:
    """A mount point below an inbox; "" where the inbox lies below it, or elsewhere."""
    return os.path.relpath(point, inbox) if point != inbox and mounts.is_below(point, inbox) else ""


def _device_of(path: str) -> str | None:
    mount = mounts.holding(os.path.realpath(path), mounts.read())
    return None if mount is None else mount.device


def works(folder: Folder) -> bool:
    """Whether the files in a folder of our own can be read, and as much can be written there once more."""
    try:
        size = sum(_read(folder, name) for name in folder.names() if name != _TRIED)
        moves.write_whole(folder, _TRIED, lambda file: print("." * size, file=file))
        folder.discard(_TRIED)
    except OSError:
        return False
    return True


def _read(folder: Folder, name: str) -> int:
    """Read a file to its end; returns its size in bytes."""
    with open(folder.open_file(name), "rb") as file:
        return sum(map(len, iter(lambda: file.read(_BLOCK), b"")))


def _takes_a_file(path: str) -> bool:
    """Whether a file can be written to a folder of the library; one without a name, so that nothing of it is ever left there.

    False also where the file system knows no such files (open(2), O_TMPFILE), or the folder is not for sttd to write to.
    """
    try:
        handle = os.open(path, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, bytes(_BLOCK))
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        return False
    return True
