"""How long is waited before the next try, and when a notice is given up. Pure."""

from __future__ import annotations

WAITS = (5.0, 30.0, 120.0, 600.0, 1800.0)  # seconds; the last one repeats
LONGEST = WAITS[-1]
FEWEST = 3  # tries that each notice has, however old it is: a clock may have jumped, or nobody ran for a week


def wait(failures: int) -> float:
    """Seconds to wait after so many failures in a row (1 and more)."""
    return WAITS[min(failures, len(WAITS)) - 1]


def is_over(age: float, tries: int, give_up: float) -> bool:
    """Whether a notice is given up that waits for `age` seconds, after so many tries in vain."""
    return age >= give_up and tries >= FEWEST
