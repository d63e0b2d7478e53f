"""What the libraries of a worker must be told before they are loaded. Imported before any of them.

Each line says what it answers; tests/bench/LOG.md has the figures. What a person has set in the environment stays, but for
what keeps a worker off the network.
"""

from __future__ import annotations

import ctypes
import os

# what is free at the heap's end and still kept; a clean-up (cleanup.py) gives it back all the same
_KEPT = 512 * 2**20  # bytes
MALLOC = {"ARENA_MAX": (-8, 1), "MMAP_MAX_": (-4, 0), "TRIM_THRESHOLD_": (-1, _KEPT)}  # malloc.h, mallopt(3)


def tune() -> None:
    """Set up numpy, OpenMP, malloc, huggingface_hub and onnxruntime for a worker."""
    # numpy's matrices (the features) are small, and a pool of threads that wait for the next one spinning took twice the
    # processor time that the features themselves need
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # GNU OpenMP lets its threads spin for long where it thinks that each has a core of its own, and does so once the thread
    # that loaded the model has ended; with anything else at work on the cores (the next batch being prepared, another
    # worker) a window through `base` then took up to eight times the processor time
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # a worker never downloads; huggingface_hub reads this once, when it is imported
    os.environ["HF_HUB_OFFLINE"] = "1"
    # onnxruntime (the VAD) would write a device id below ~/.cache, to report it
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    _keep_memory()


def _keep_memory() -> None:
    """Let glibc use freed memory again instead of giving it back to the kernel and asking for it anew.

    A window's attention takes tens of megabytes for a few milliseconds; mapped and unmapped each time, they cost a quarter
    of a worker's processor time in page faults. One arena, because a thread's own has no room for a block of that size.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return
    for name, (option, value) in MALLOC.items():
        if f"MALLOC_{name}" not in os.environ:
            mallopt(option, value)
