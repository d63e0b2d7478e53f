"""How long to wait before the next try, and when to give up a notice. Pure."""

from __future__ import annotations

WAITS = (5.0, 30.0, 120.0, 600.0, 1800.0)  # seconds; the last one repeats
LONGEST = WAITS[-1]
FEWEST = 3  # tries of each notice, however old it is: the clock may have jumped, or the notifier was off


def wait(failures: int) -> float:
    """Seconds to wait after so many failures in a row (1 and more)."""
    return WAITS[min(failures, len(WAITS)) - 1]


def is_over(age: float, tries: int, give_up: float) -> bool:
    """Whether to give up a notice that has waited for `age` seconds and failed `tries` times."""
    return age >= give_up and tries >= FEWEST
