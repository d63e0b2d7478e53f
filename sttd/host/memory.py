"""How much of the memory that the daemon may use is used, and what that means.

psutil ignores cgroups: in a container or under MemoryMax= it reports the host's memory, which the daemon may not use. So
the limits of our cgroup and its ancestors count, and the host's memory only if there are none.
"""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from sttd.host.cgroup import CGROUPS, PROC, Group, groups

HYSTERESIS = 2.0  # percentage points; a level ends this far below its threshold, so that few changes are logged


class Level(enum.IntEnum):
    """What the figures mean; each includes the ones below it."""

    NORMAL = 0
    MODERATE = 1  # workers clean up at their next chunk
    HIGH = 2  # no further job starts while one runs
    CRITICAL = 3  # the largest worker stops at its next checkpoint

    def __str__(self) -> str:
        return self.name.lower()

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)  # an IntEnum would be formatted as its number


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes. File cache that the kernel can drop at once is not counted as used."""

    used: int
    limit: int

    @property
    def percent(self) -> float:
        return 100.0 * self.used / self.limit if self.limit > 0 else 100.0


def level(percent: float, moderate: float, high: float, critical: float, before: Level = Level.NORMAL) -> Level:
    """The level for `percent`. It rises above a threshold, and falls only `HYSTERESIS` below it; `before`: the level so far."""
    found = Level.NORMAL
    for candidate, threshold in ((Level.MODERATE, moderate), (Level.HIGH, high), (Level.CRITICAL, critical)):
        if percent > threshold - (HYSTERESIS if before >= candidate else 0.0):
            found = candidate
    return found


def usage(proc: Path = PROC, cgroups: Path = CGROUPS) -> Usage:
    """The tightest of our cgroup's limits, own or inherited, v2 or v1; where there is none, the host's memory."""
    host = psutil.virtual_memory()
    found = (_usage(group) for group in groups("memory", proc, cgroups))
    limited = [each for each in found if each is not None and each.limit < host.total]
    return max(limited, key=lambda each: each.percent, default=Usage(host.total - host.available, host.total))


def rss() -> int:
    """Bytes of this process that are in memory: its resident set (proc(5), statm)."""
    pages = int((PROC / "self" / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _usage(group: Group) -> Usage | None:
    """None where the group has no limit.

    In version 2 both memory.high, which throttles, and memory.max, which kills, are limits: the lower one counts. In version
    1 a group without a limit shows a number near 2**63, more than any host's memory.
    """
    names: tuple[str, ...]
    if group.version == 2:
        names, current, cache = ("memory.max", "memory.high"), "memory.current", "inactive_file"
    else:
        names, current, cache = ("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"
    limits = [each for name in names if (each := group.number(name)) is not None]
    used = group.number(current)
    if not limits or used is None:
        return None
    return Usage(max(0, used - (group.statistic("memory.stat", cache) or 0)), min(limits))
