"""Results beside their recordings lie on the disks of a library: trouble with one of these must not hold up the others.

A disk is identified by the table of mounts (proc(5), /proc/self/mountinfo), which also lists a disk that does not answer.
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
    """The part of an inbox that lies on one disk: a folder, without the folders in it where other disks are mounted."""

    device: str  # see `Mount.device`
    path: str  # of the folder, for messages
    inbox: str  # the inbox's name
    folder: str  # path below the inbox; "" is the inbox itself
    apart: tuple[str, ...] = ()  # folders on other disks, as paths below the inbox

    def holds(self, inbox: str, path: str) -> bool:
        """Whether a path below an inbox lies on this disk, going by the names."""
        if inbox != self.inbox or (self.folder and not mounts.is_below(path, self.folder)):
            return False
        return not any(mounts.is_below(path, each) for each in self.apart)


class DiskTrouble(SttdError):
    """A disk of the library is full, failing or away: jobs on that disk wait, all others go on."""

    def __init__(self, text: str, where: DiskFolder) -> None:
        super().__init__(text)
        self.where = where


class FileTrouble(SttdError):
    """The disk works, but one recording or its folder cannot be read or written: only its job waits."""


@contextlib.contextmanager
def near(place: str, source: str, location: str | None, places: Places) -> Iterator[None]:
    """For steps that touch only a recording and the files beside it: an error of their disk becomes one of those below.

    Args:
        place: as `Plan.place`; unless it is BESIDE, errors stay as they are.
        source: as `Job.source`.
        location: as `Job.location`.
        places: the folders.

    Raises:
        DiskTrouble, FileTrouble: see `trouble`.
    """
    try:
        yield
    except OSError as error:
        told = trouble(error, source, location, places) if place == BESIDE else None
        if told is None:
            raise
        raise told from error


def trouble(error: OSError, source: str, location: str | None, places: Places) -> DiskTrouble | FileTrouble | None:
    """What an error beside a recording means for other jobs; None: treat it as any other OSError (`sttd.fs.blame`).

    None also if all results are staged on the same disk: its trouble then concerns every job.
    """
    where = disk_of(source, location, places) if is_of_a_disk(error) else None
    if where is None or where.device == _device_of(os.fspath(places.paths.transcripts)):
        return None
    if takes_nothing(error) or not _takes_a_file(where.path):
        return DiskTrouble(f"the disk of {where.path}: {error}", where)
    return FileTrouble(str(error))


def disk_of(source: str, location: str | None, places: Places) -> DiskFolder | None:
    """The disk that a recording lies on; None: the recording is in no inbox, or the mounts are not known."""
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
    """The path of a mount point below an inbox; "" if the mount point is the inbox, above it, or elsewhere."""
    return os.path.relpath(point, inbox) if point != inbox and mounts.is_below(point, inbox) else ""


def _device_of(path: str) -> str | None:
    mount = mounts.holding(os.path.realpath(path), mounts.read())
    return None if mount is None else mount.device


def works(folder: Folder) -> bool:
    """Whether the files in a folder of our own can be read, and as many bytes again can be written there."""
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
    """Whether a file can be written to a folder of the library. The test file has no name, so that it is never left behind.

    False also if the file system has no such files (open(2), O_TMPFILE), or sttd has no right to write to the folder.
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
