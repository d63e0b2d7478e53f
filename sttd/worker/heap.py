"""Large arrays outside malloc's heap, so that a worker needs no more memory after hours than after minutes.

Blocks that outlive their neighbours fragment malloc's heap: the gaps between them are free, yet resident, and too small for the
model's next matrix. How much is lost is chance, so a longer recording has a higher peak.
"""

from __future__ import annotations

import math
import mmap

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def allocate(*shape: int) -> Array:
    """An array in pages of its own, which go back to the system with it. For arrays that are large and live long."""
    size = math.prod(shape)
    pages = mmap.mmap(-1, max(1, 4 * size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(pages, np.float32, size).reshape(shape)


def copied(array: Array) -> Array:
    """A copy in pages of its own; see `allocate`."""
    copy = allocate(*array.shape)
    copy[:] = array
    return copy
