"""Gives unused memory of Python and malloc back to the system now and then, because a worker lives for many jobs.

glibc keeps what was freed; `malloc_trim`, which psutil calls, took a worker from 509 to 27 MB.
"""

from __future__ import annotations

import gc

import psutil


def is_due(chunks: int, every: int, *, hurried: bool, now: float, last: float | None, cooldown: float) -> bool:
    """Whether to clean up at `now`: after `every` chunks or when hurried, but never twice within `cooldown` seconds.

    Args:
        chunks: finished since the last clean-up.
        every: see `memory.cleanup_every_chunks`.
        hurried: memory is scarce.
        now: seconds on a monotonic clock.
        last: when the last clean-up was; None: never.
        cooldown: see `memory.cleanup_cooldown`.
    """
    if last is not None and now - last < cooldown:
        return False
    return hurried or chunks >= every


class Cleaner:
    """Counts a worker's chunks over all of its jobs, and cleans up when it is time."""

    def __init__(self, every_chunks: int, cooldown: float) -> None:
        self._every = every_chunks
        self._cooldown = cooldown
        self._chunks = 0
        self._last: float | None = None
        self._hurried = False

    def hurry(self) -> None:
        """Memory is scarce: the next `after` cleans up, as soon as the cooldown allows it."""
        self._hurried = True

    def after(self, chunks: int, now: float) -> int | None:
        """Count chunks that were just finished, and clean up if it is time. Returns the bytes given back; None: not yet."""
        self._chunks += chunks
        if not is_due(
            self._chunks, self._every, hurried=self._hurried, now=now, last=self._last, cooldown=self._cooldown
        ):
            return None
        self._chunks, self._last, self._hurried = 0, now, False
        return clean_up()


def clean_up() -> int:
    """Collect garbage and trim the heap. Returns the bytes by which the process shrank."""
    process = psutil.Process()
    before = process.memory_info().rss
    gc.collect()
    if hasattr(psutil, "heap_trim"):  # a C library without malloc_trim (musl) has nothing to trim
        psutil.heap_trim()
    return max(0, int(before - process.memory_info().rss))
