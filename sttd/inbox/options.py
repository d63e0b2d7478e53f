"""Reads the option files (`.sttd.toml`) of the folders above a recording, where anybody may have put anything.

Each folder is opened by the handle of the one above it, no link is followed, nothing waits for a writer, and at most a given
number of bytes is read of all files together.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

from sttd.errors import SttdError
from sttd.fs.folder import Folder
from sttd.fs.rights import why_unreadable
from sttd.own import LOCK
from sttd.units import format_size

_OF_THE_FILE = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.EIO)  # errors of one file or folder, not of the machine


class Unfit(SttdError):
    """A file cannot be used for what it is; the message names it."""


class Gone(SttdError):
    """The folder of the recording is not in the inbox (any more)."""


@dataclass(frozen=True, slots=True)
class File:
    """One `.sttd.toml` as it is now."""

    path: str  # relative to the inbox, after the prefix `shown`
    data: bytes
    changed_at: float  # UTC seconds, by the file system's clock


def above(root: str | os.PathLike[str], folder: str, name: str, most: int, shown: str = "") -> tuple[File, ...]:
    """The files of this name in the inbox itself and in each folder down to `folder`, the nearest one last.

    Args:
        root: the inbox.
        folder: relative to it; "": itself.
        name: of the files.
        most: bytes of all of them together.
        shown: what their paths begin with.

    Raises:
        Unfit: one of them is no regular file, is too large, or may not be read.
        Gone: there is no such folder, or a link is in its place.
        OSError: the inbox cannot be looked at.
    """
    files: list[File] = []
    left, at = most, shown
    with Folder.open(root) as inbox:
        here = inbox.below([])
        try:
            for component in ("", *(folder.split("/") if folder else ())):
                if component:
                    below = _enter(here, at + component, component)
                    here.close()
                    here, at = below, f"{at}{component}/"
                file = _look(here, f"{at}{name}", name, left)
                if file is not None:
                    files.append(file)
                    left -= len(file.data)
                if left < 0:
                    size = f"{format_size(most)}B"
                    raise Unfit(f"{at}{name}: is too large: it and those above it may have {size} together")
        finally:
            here.close()
        if not files and inbox.stat(LOCK) is None:  # what is missing may be there when the inbox is mounted again
            raise FileNotFoundError(errno.ENOENT, "the inbox is away", inbox.path)
    return tuple(files)


def _enter(here: Folder, path: str, component: str) -> Folder:
    try:
        return here.below([component])
    except FileNotFoundError:
        raise Gone(path) from None
    except OSError as error:
        raise _told(path, error, here.path_of(component)) from None


def _look(here: Folder, path: str, name: str, most: int) -> File | None:
    """The file in one folder, with its first `most` bytes and one more; None: there is none."""
    try:
        seen = here.stat(name)
        if seen is None:
            return None
        if not stat.S_ISREG(seen.st_mode):
            what = "a link" if stat.S_ISLNK(seen.st_mode) else "not a regular file"
            raise Unfit(f"{path}: is {what}: put a file in its place, or remove it")
        with os.fdopen(here.open_file(name), "rb") as file:
            data, changed_at = file.read(most + 1), os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:  # removed since
        return None
    except OSError as error:
        raise _told(path, error, here.path_of(name)) from None
    return File(path, data, changed_at)


def _told(path: str, error: OSError, place: str) -> Exception:
    """What to raise for an error: Unfit where the file is at fault, the error itself where the machine is."""
    if error.errno not in _OF_THE_FILE:
        return error
    why = why_unreadable(place) if isinstance(error, PermissionError) else error.strerror
    return Unfit(f"{path}: cannot be read: {why}")
