"""How many files and pipes the daemon may have open: systemd's default of 1024 is for programs that use select(2).

A worker elsewhere takes about 5 of them here, and 4 in the driver of Ray, which inherits the limit.
"""

from __future__ import annotations

import resource

MOST = 65536  # no more than this: some programs close every number below the limit, one by one, when they start another


def raise_limit() -> None:
    """Raise the soft limit to the hard one, or to `MOST` (getrlimit(2), RLIMIT_NOFILE)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
