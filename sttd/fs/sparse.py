"""Files with holes: a preallocated download or a broken copy may claim a terabyte and hold nothing. Reading it takes hours."""

from __future__ import annotations

import errno
import os

# A file with this many bytes of holes counts as never written: they would be 27 hours of silence in CD quality. Fewer prove
# nothing, as file systems that compress store digital silence as holes, too.
MOST = 2**34


def is_unwritten(handle: int) -> bool:
    """Whether an open file has so many holes that it cannot be complete. Looks at its layout; reads no data."""
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
    """The first position from `position` on that holds data; `size` if only a hole is left."""
    try:
        return os.lseek(handle, position, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        raise
