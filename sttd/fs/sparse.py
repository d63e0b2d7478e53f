"""Files with holes: a preallocated download or a broken copy may claim a terabyte and hold nothing. Reading it takes hours."""

from __future__ import annotations

import errno
import os

# Bytes of holes from which on a file counts as never written: 23 hours of silence at a CD's rate. File systems that
# compress make holes of digital silence too, so fewer say nothing.
MOST = 2**34


def is_unwritten(handle: int) -> bool:
    """Whether so much of an open file are holes that it is no whole one. Asks for the layout; reads nothing."""
    seen = os.fstat(handle)
    if seen.st_size - seen.st_blocks * 512 < MOST:
        return False
    position = holes = 0
    while position < seen.st_size and holes < MOST:
        data = next_data(handle, position, seen.st_size)
        holes += data - position
        position = seen.st_size if data >= seen.st_size else os.lseek(handle, data, os.SEEK_HOLE)
    return holes >= MOST


def next_data(handle: int, position: int, size: int) -> int:
    """Where data begins at `position` or behind it; `size` where only a hole is left."""
    try:
        return os.lseek(handle, position, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        raise
