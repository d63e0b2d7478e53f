"""Where a worker's memory lies, so that hours of it need no more than minutes.

malloc's heap is cut up by what lives longer than its neighbours: the gaps between are free, yet resident, and too small for
the model's next matrix. How large that gets is chance, and the longer a recording, the worse its worst moment.
"""

from __future__ import annotations

import ctypes
import mmap

import numpy as np
import numpy.typing as npt

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
# bytes; the encoder's attention takes more, and what the decoder takes and leaves at each token is less
_LARGE = 16 * 2**20

Array = npt.NDArray[np.float32]


def confine() -> None:
    """All threads allocate from one heap, and what is large beside it; to be called before there is a second thread.

    glibc gives each thread a heap of its own, up to eight a core, and what one has freed no other can use. And once it has
    freed something large it puts the next of that size, up to 32 MiB, into the heap, and keeps twice as much at its end: how
    much is held then goes by what came when. See mallopt(3). The GIL and CTranslate2's few, large allocations leave nothing
    for further heaps to speed up.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and one heap
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)


def beside(array: Array) -> Array:
    """A copy that lies beside the heap, in pages of its own that go back to the system with it: for what lives long."""
    pages = mmap.mmap(-1, max(1, array.nbytes), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    copy = np.frombuffer(pages, np.float32, array.size).reshape(array.shape)
    copy[:] = array
    return copy
