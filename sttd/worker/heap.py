"""Where a worker's memory lies, so that hours of it need no more than minutes.

malloc's heap is cut up by what lives longer than its neighbours: the gaps between are free, yet resident, and too small for
the model's next matrix. How large that gets is chance, and the longer a recording, the worse its worst moment.
"""

from __future__ import annotations

import math
import mmap

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def allocate(*shape: int) -> Array:
    """An array beside the heap, in pages of its own that go back to the system with it: for what is large and lives long."""
    size = math.prod(shape)
    pages = mmap.mmap(-1, max(1, 4 * size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(pages, np.float32, size).reshape(shape)


def copied(array: Array) -> Array:
    """A copy that lies there."""
    copy = allocate(*array.shape)
    copy[:] = array
    return copy
