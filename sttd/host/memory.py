"""How much of the memory that the daemon may use is used, and what that means.

psutil knows no cgroups: in a container or under MemoryMax= it tells of a host that the daemon may not have. So the
limits of our cgroup and of its ancestors count where there are any, and the host's memory only where there are none.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

HYSTERESIS = 2.0  # percent points below its threshold where a level ends, so that a crossing is one line in the log

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")


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
    """The level of `percent`, which was `before`: it rises above a threshold, and falls `HYSTERESIS` below it."""
    found = Level.NORMAL
    for candidate, threshold in ((Level.MODERATE, moderate), (Level.HIGH, high), (Level.CRITICAL, critical)):
        if percent > threshold - (HYSTERESIS if before >= candidate else 0.0):
            found = candidate
    return found


def usage(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> Usage:
    """The tightest of our cgroup's limits, own or inherited, v2 or v1; where there is none, the host's memory."""
    host = psutil.virtual_memory()
    limited = [each for each in _cgroup_usages(proc, cgroups) if each.limit < host.total]
    return max(limited, key=lambda each: each.percent, default=Usage(host.total - host.available, host.total))


def rss() -> int:
    """Bytes of this process that lie in memory (proc(5), statm)."""
    pages = int((_PROC / "self" / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _cgroup_usages(proc: Path, cgroups: Path) -> Iterator[Usage]:
    """One for each limit, from our own cgroup up to the mount's top."""
    for line in _read(proc / "self" / "cgroup").split("\n"):
        _, controllers, path = [*line.split(":", 2), "", "", ""][:3]
        if line and controllers == "":
            folders, look = [*_upwards(cgroups, path), *_upwards(cgroups / "unified", path)], _usage_v2
        elif "memory" in controllers.split(","):
            folders, look = _upwards(cgroups / "memory", path), _usage_v1
        else:
            continue
        yield from (found for folder in folders if (found := look(folder)) is not None)


def _upwards(top: Path, path: str) -> list[Path]:
    """The folder of our cgroup and those above it.

    A path that is not below the mount (a container that sees its host's path) means that the mount's top is our own.
    """
    own = top / path.strip("/")
    if not own.is_dir():
        return [top]
    return [own, *(parent for parent in own.parents if parent.is_relative_to(top))]


def _usage_v2(folder: Path) -> Usage | None:
    """Of version 2: memory.high throttles as hard as memory.max kills, so the lower one is the limit."""
    limits = [each for name in ("memory.max", "memory.high") if (each := _number(folder / name)) is not None]
    used = _number(folder / "memory.current")
    if not limits or used is None:
        return None
    return Usage(max(0, used - _statistic(folder, "inactive_file")), min(limits))


def _usage_v1(folder: Path) -> Usage | None:
    """Of version 1: no limit is a number near 2**63, which is over any host's memory."""
    limit, used = _number(folder / "memory.limit_in_bytes"), _number(folder / "memory.usage_in_bytes")
    if limit is None or used is None:
        return None
    return Usage(max(0, used - _statistic(folder, "total_inactive_file")), limit)


def _number(path: Path) -> int | None:
    """None also for `max`, which is no limit."""
    text = _read(path).strip()
    return int(text) if text.isdigit() else None


def _statistic(folder: Path, name: str) -> int:
    words = (line.split() for line in _read(folder / "memory.stat").splitlines())
    return next((int(line[1]) for line in words if len(line) == 2 and line[0] == name), 0)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):  # not this kind of cgroup, or not ours to read
        return ""
