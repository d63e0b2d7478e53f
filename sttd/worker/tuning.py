"""Settings that a worker's libraries read when they are loaded. Imported before any of them.

Each setting has its reason beside it; tests/bench/LOG.md has the figures. What a person has set in the environment is kept,
except where it would let a worker use the network.
"""

from __future__ import annotations

import ctypes
import os

# free memory at the heap's end that malloc keeps; a clean-up (cleanup.py) gives it back all the same
_KEPT = 512 * 2**20  # bytes
MALLOC = {"ARENA_MAX": (-8, 1), "MMAP_MAX_": (-4, 0), "TRIM_THRESHOLD_": (-1, _KEPT)}  # malloc.h, mallopt(3)


def tune() -> None:
    """Set up numpy, OpenMP, malloc, huggingface_hub and onnxruntime for a worker."""
    # numpy's matrices (the features) are small: a pool of threads, which spin while they wait for the next one, took twice the
    # processor time that the features themselves need
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # GNU OpenMP lets waiting threads spin for long where it thinks that each has a core of its own, and it thinks so once the
    # thread that loaded the model has ended. With anything else at work on the cores (the next batch, another worker) a window
    # through `base` then took up to eight times the processor time
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
