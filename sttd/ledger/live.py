"""What the daemon does this second, in a file that commands read: workers, memory, troubles.

It changes all the time and is worthless after a crash. In the ledger each change would be synced, and a disk could never
sleep. So the file lies in systemd's runtime folder, which is in memory; without one, in the state folder, unsynced.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "live.json"
MODE = 0o640  # as the ledger's: people in the group may read it
LARGEST = 2**22  # bytes that are read; 256 workers with the longest names take a tenth of it


def path_of(state: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Where a daemon with this state folder writes it (systemd.exec(5), RUNTIME_DIRECTORY)."""
    folder = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return (Path(folder) if folder else state) / NAME


def write(path: Path, figures: Mapping[str, Any]) -> None:
    """Replace the file with `figures` of this process.

    On a full disk the old file is removed to make room, because now people need to see that the disk is full. If there is
    still no room, no file is left: old figures would be wrong.

    Raises:
        OSError: the old file cannot be removed either.
    """
    new = path.with_name(f".{NAME}.new")
    for _ in range(2):
        try:
            _replace(path, new, figures)
        except OSError:
            for each in (new, path):
                with contextlib.suppress(FileNotFoundError):
                    each.unlink()
        else:
            return


def _replace(path: Path, new: Path, figures: Mapping[str, Any]) -> None:
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        os.fchmod(handle, MODE)  # whatever the umask is
        json.dump({"pid": os.getpid(), **figures}, file)
    new.replace(path)


def read(path: Path, pid: int | None) -> dict[str, Any]:
    """The figures that process `pid` wrote; {} where there are none, as right after its start.

    Raises:
        PermissionError: the file may not be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        raise
    except OSError:  # none, or something else under its name
        return {}
    try:
        known = os.read(handle, LARGEST) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
        found = json.loads(known)
    except ValueError:
        return {}
    finally:
        os.close(handle)
    return found if isinstance(found, dict) and found.get("pid") == pid else {}
