"""A recording for a worker on another machine: how it is recognised there, and how its bytes are sent, block by block.

This is the head's side, for every pool whose workers do not share our disks. The far side has the recording already where a
file of the same path has the same size, the same time of last change and the same ends (`ends_of`). Otherwise it asks for all
bytes (`Ask`), at most `AHEAD` blocks of `BLOCK` bytes at once, and each is read when its turn comes. So neither side ever
holds more than these in memory, however long the recording is.
"""

from __future__ import annotations

import errno
import hashlib
import os

from sttd.fs.folder import open_regular_below
from sttd.fs.regular import NotRegular
from sttd.fs.rights import why_unreadable
from sttd.part import Cause, PartSpec
from sttd.pool.wire import Ask, Block, NoBlock

BLOCK = 2**18  # bytes; at 1 Mbit/s an order waits for 2 s behind one
AHEAD = 8  # blocks asked for at once: 200 Mbit/s over a line of 80 ms
_END = 2**20  # bytes
_MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def ends_of(path: str, size: int, below: str = "") -> tuple[str, str]:
    """The SHA-256 of the first and of the last MiB of a file, in hexadecimal. Of a smaller file both are of all of it.

    `below`: see `PartSpec`.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    handle = open_regular_below(path, below)
    try:
        return ends_of_handle(handle, size)
    finally:
        os.close(handle)


def ends_of_handle(handle: int, size: int) -> tuple[str, str]:
    """See `ends_of`; of an open file.

    Raises:
        OSError: it cannot be read.
    """
    first, last = (hashlib.sha256(os.pread(handle, _END, at)).hexdigest() for at in (0, max(0, size - _END)))
    return first, last


def answer(ask: Ask, part: PartSpec) -> Block | NoBlock:
    """The bytes of the recording that the far side asks for, or why there are none. It reads the disk, which may hang."""
    asked = (ask.part_id, ask.attempt)
    try:
        handle = open_regular_below(part.source, part.below)
    except OSError as error:
        return NoBlock(*asked, *not_read(part.source, error))
    try:
        before = os.fstat(handle)
        data = os.pread(handle, min(ask.length, BLOCK), ask.offset)
        after = os.fstat(handle)
    except OSError as error:
        return NoBlock(*asked, *not_read(part.source, error))
    finally:
        os.close(handle)
    is_same = all((each.st_size, each.st_mtime_ns) == (part.size, part.mtime_ns) for each in (before, after))
    if not is_same or len(data) < min(ask.length, BLOCK):
        return NoBlock(*asked, Cause.CHANGED, "the file has changed since it was queued")
    return Block(*asked, ask.offset, data, hashlib.sha256(data).digest())


def not_read(path: str, error: OSError) -> tuple[Cause, str]:
    """The cause and the text, in the words of a worker of this machine (worker/audio/source_file.py)."""
    if isinstance(error, NotRegular):
        return Cause.GONE, "there is something else now where the file was, which is no regular file"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Cause.GONE, "the file is not there any more"
    if isinstance(error, PermissionError):
        return Cause.UNREADABLE, f"the file cannot be read: {why_unreadable(path)}"
    if error.errno in _MACHINE:
        return Cause.MACHINE, f"the file could not be opened: {error.strerror}"
    return Cause.UNREADABLE, f"the file could not be read: {error.strerror or error}"
