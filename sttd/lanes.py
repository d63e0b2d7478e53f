"""How the threads of a worker are shared out over batches side by side."""

from __future__ import annotations

from sttd.part import MOST_LANES

_ENOUGH = 4  # threads of a lane, beyond which more lanes help more


def lanes_of(threads: int, most: int = MOST_LANES) -> tuple[int, int]:
    """How the threads of a worker on a CPU are shared out: lanes (see worker/lanes.py), and the threads of each.

    As many threads as possible are used: all of them but for prime numbers from 5 on, where one is left over at most. Among
    the ways that use as many, the one with the fewest lanes whose threads still help each other.

    Args:
        threads: of the worker.
        most: lanes, at most: as many as windows go through the model together.
    """
    ways = [(lanes, threads // lanes) for lanes in range(2, min(most, threads) + 1)]
    used = max((lanes * each for lanes, each in ways), default=0)
    full = [(lanes, each) for lanes, each in ways if lanes * each == used]
    if not full:
        return 1, max(1, threads)
    return next((way for way in full if way[1] <= _ENOUGH), full[-1])
