"""How the threads of a worker are divided among batches that run side by side."""

from __future__ import annotations

from sttd.part import MOST_LANES

_ENOUGH = 4  # threads of a lane; with more, further lanes help more than further threads


def lanes_of(threads: int, most: int = MOST_LANES) -> tuple[int, int]:
    """How the threads of a worker on a CPU are shared out: lanes (see worker/lanes.py), and the threads of each.

    As many threads as possible are used; at most one is left over, as of 5. Among the ways that use as many, this is the one
    with the fewest lanes of at most `_ENOUGH` threads; if there is none, the one with the most lanes.

    Args:
        threads: of the worker.
        most: the largest number of lanes: the windows that go through the model together.
    """
    ways = [(lanes, threads // lanes) for lanes in range(2, min(most, threads) + 1)]
    used = max((lanes * each for lanes, each in ways), default=0)
    full = [(lanes, each) for lanes, each in ways if lanes * each == used]
    if not full:
        return 1, max(1, threads)
    return next((way for way in full if way[1] <= _ENOUGH), full[-1])
