"""Children that are forked from a process of the tests, which has threads: xdist's, and those of the libraries."""

from __future__ import annotations

import gc
import os


def fork() -> int:
    """As os.fork, but the child collects no garbage.

    A model of CTranslate2 may be among it, in a circle of references. Its end waits for its threads, which are not in the
    child: a test once hung in `pthread_cond_destroy` until its time limit of 20 minutes.
    """
    child = 0
    gc.disable()
    try:
        child = os.fork()
    except OSError:
        gc.enable()
        raise
    if child:
        gc.enable()
    return child
