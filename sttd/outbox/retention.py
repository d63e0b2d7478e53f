"""Removes sources that were filed away, by age and total size, if the configuration says so.

The age of a file is the time since it was put there or last touched in any way (st_ctime): its modification time is the
recording's own, which may be years ago. Hidden files are left alone: they are still being moved.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass

LONGEST = 86_400.0  # seconds between two looks at most: somebody may have put files there
GRACE = 3600.0  # seconds; a file that came within them always stays, as it may not be in the ledger yet


@dataclass(frozen=True, slots=True)
class Kept:
    path: str
    size: int  # bytes
    since: float  # UTC seconds since the epoch


@dataclass(frozen=True, slots=True)
class Choice:
    """Which files of a folder are to be removed, oldest first, and when (UTC seconds) it is worth looking again."""

    surplus: list[Kept]
    again: float


def choose(files: Iterable[Kept], now: float, age: float, size: float, needed: Collection[str]) -> Choice:
    """What is to be removed.

    Args:
        files: all of one folder.
        now: UTC seconds since the epoch.
        age: seconds; what is older goes. Infinite: nothing does.
        size: bytes; where all of them take more, the oldest go. Infinite: none does.
        needed: paths that a job still wants; they stay, and count for the size.
    """
    rest = sorted(files, key=lambda file: file.since)
    total = sum(file.size for file in rest)
    chosen, again = [], now + LONGEST
    for file in rest:
        is_old = now - file.since > age
        if not is_old and total <= size:
            again = min(again, file.since + max(age, GRACE))
            break  # those that follow are younger still
        if file.path in needed or now - file.since < GRACE:
            again = now + GRACE  # it may go by then
            continue
        chosen.append(file)
        total -= file.size
    return Choice(chosen, again)


def walk(folder: str) -> list[Kept]:
    """Every file below `folder` that is not hidden. Raises OSError if the folder itself cannot be read."""
    os.scandir(folder).close()  # raises; os.walk would only find nothing
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = os.path.join(place, name)
            with contextlib.suppress(FileNotFoundError):  # somebody took it away meanwhile
                seen = os.lstat(path)
                if stat.S_ISREG(seen.st_mode) and not name.startswith("."):
                    found.append(Kept(path, seen.st_size, seen.st_ctime))
    return found


def remove(files: Iterable[Kept]) -> list[Kept]:
    """Remove those that are still as they were seen; returns them."""
    removed = []
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            seen = os.lstat(file.path)
            if (seen.st_size, seen.st_ctime) == (file.size, file.since):
                os.unlink(file.path)
                removed.append(file)
    return removed
