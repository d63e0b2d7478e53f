"""Was a file written on after it had been filed away? A writer that went on where nobody heard of it is found out so.

The file is looked at a few times, at growing ages of its job's end. Only differences of `COARSE` and more of the time of
change count: a copy on another file system keeps times by its own clock's ticks.
"""

from __future__ import annotations

import enum

from sttd.job import Identity

COARSE = 2_000_000_000  # nanoseconds: the coarsest clock of a file system, vfat's
_SHARES = (1 / 3, 1.0, 4.0)  # of `watch.patience`: 5 min, 15 min and 1 h by default


class Filed(enum.Enum):
    SAME = "it is what was filed away"
    DOUBT = "it was written to, or only touched: its content tells"
    OTHER = "it is another version"


def ages(patience: float) -> tuple[float, ...]:
    """Seconds after the end of a job at which its source is looked at again."""
    return tuple(max(1.0, patience * share) for share in _SHARES)


def compare(known: Identity, found: Identity) -> Filed:
    """What a look at a source that was filed away says."""
    if found.size != known.size:
        return Filed.OTHER
    return Filed.SAME if abs(found.mtime_ns - known.mtime_ns) < COARSE else Filed.DOUBT
