"""Which processes keep the daemon from writing its ledger.

Members of the group may read the ledger, and reading takes shared locks on the index of its WAL. So any of them can also hold
a shared lock on bytes that a writer must lock for itself, for as long as they like. The kernel lists the processes.
"""

from __future__ import annotations

import os
from pathlib import Path

# bytes of the index that a writer, a checkpoint or a recovery locks for itself (https://www.sqlite.org/walformat.html)
_FIRST, _LAST = 120, 122
_LOCKS = Path("/proc/locks")


def of(path: Path, locks: Path = _LOCKS) -> list[int]:
    """The process ids of others that lock what a writer of the ledger needs; [] where the kernel does not say.

    Args:
        path: the ledger.
        locks: the kernel's table, see proc_locks(5).
    """
    try:
        index = path.with_name(f"{path.name}-shm").stat()
        lines = locks.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    number = str(index.st_ino)  # not the device: on btrfs and overlayfs the kernel lists another one
    found = []
    for words in (line.split() for line in lines):
        if len(words) != 8 or words[5].rpartition(":")[2] != number:  # a waiter's line has a word more
            continue
        first, last = int(words[6]), _LAST if words[7] == "EOF" else int(words[7])
        if first <= _LAST and last >= _FIRST and int(words[4]) > 0 and int(words[4]) != os.getpid():
            found.append(int(words[4]))  # without a process: locks of open files, or of another machine
    return sorted(set(found))


def in_words(path: Path) -> str:
    """What to do about them, to follow SQLite's words: "database is locked"."""
    found = of(path)
    if not found:
        return ": another process holds it, which `lslocks` names; only sttd may write it"
    return f" by process {', '.join(map(str, found))}: end it (kill {' '.join(map(str, found))}); reading the ledger needs no such lock"
