"""When a worker cleans up, and that it does."""

from __future__ import annotations

import psutil
import pytest

from sttd.worker.cleanup import Cleaner, clean_up, is_due


@pytest.mark.parametrize(
    ("chunks", "hurried", "last", "due"),
    [
        (49, False, None, False),
        (50, False, None, True),
        (50, False, 940.0, True),
        (50, False, 941.0, False),  # within the cooldown
        (1, True, None, True),
        (1, True, 941.0, False),  # a hurry does not break the cooldown
    ],
)
def test_it_is_time_after_so_many_chunks_or_in_a_hurry_but_never_within_the_cooldown(chunks, hurried, last, due):
    assert is_due(chunks, 50, hurried=hurried, now=1000.0, last=last, cooldown=60.0) is due


def test_chunks_are_counted_over_all_jobs_and_from_the_last_clean_up():
    cleaner = Cleaner(3, 60.0)
    assert cleaner.after(2, 0.0) is None
    assert cleaner.after(1, 1.0) is not None
    assert cleaner.after(3, 30.0) is None  # within the cooldown
    assert cleaner.after(0, 61.0) is not None
    assert cleaner.after(2, 200.0) is None


def test_a_hurry_waits_for_the_cooldown_and_is_not_forgotten():
    cleaner = Cleaner(100, 60.0)
    cleaner.hurry()
    assert cleaner.after(1, 0.0) is not None
    assert cleaner.after(1, 1.0) is None
    cleaner.hurry()
    assert cleaner.after(1, 59.0) is None
    assert cleaner.after(1, 60.0) is not None
    assert cleaner.after(1, 200.0) is None


def test_memory_that_was_freed_goes_back_to_the_system():
    held = [bytes(60_000) for _ in range(1000)]  # below malloc's mmap threshold: on the heap
    keep = [bytes(60_000)]  # on top of the heap: it cannot shrink by itself
    before = psutil.Process().memory_info().rss
    del held
    clean_up()
    assert psutil.Process().memory_info().rss < before - 40_000_000
    assert keep
