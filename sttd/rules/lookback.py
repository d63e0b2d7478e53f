"""Was a file written to after it had been filed away? This finds writers that went on though no event reported it.

The file is looked at a few times, at growing intervals after its job's end. Its time of change counts as different only
from `COARSE` on: a copy on another file system may store times less precisely.
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
    """Compare a source that was filed away with what it was then."""
    if found.size != known.size:
        return Filed.OTHER
    return Filed.SAME if abs(found.mtime_ns - known.mtime_ns) < COARSE else Filed.DOUBT
