"""The pages of one window's matrices serve the next: malloc neither maps them anew each time, nor gives them back at once."""

from __future__ import annotations

import ctypes

# malloc.h of glibc; see mallopt(3)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGEST = 2**28  # bytes: the attention of one layer of large-v3 takes 180 MB (20 heads, 1500 by 1500 floats)
_KEPT = 2**27  # bytes that may lie unused at the heap's end


def keep() -> None:
    """To be called before there is a second thread.

    The encoder allocates and frees its attention, 9 MB a head, for every layer of every window. By default each is mapped,
    met page by page (26,000 faults a window with the demo model) and unmapped: as much of the kernel's time as the model takes
    itself. From one heap, which all threads share, the next layer gets what the last has freed. What is beyond `_KEPT` goes
    back to the system as before, and the rest with each clean-up.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)  # another's heap is too small for such matrices
        mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
