"""Copies of files that were left as requests and are none, kept so that their owners can find out why.

    state/refused/                  of the service alone
        TIME-OWNER-RANDOM           a copy, in order of time; OWNER is the user id of who left it

Files are not moved here from the spool: whoever left one may hold it open, and let it grow. So its first bytes are copied
into a file of ours. At most `MOST` files, `MOST_BYTES` together, are kept for `KEPT` seconds; the oldest go first.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from pathlib import Path

from sttd.fs.folder import Folder

MOST = 100  # files
MOST_BYTES = 2 * 2**20  # of all files together
KEPT = 30 * 86400.0  # seconds
_MODE = 0o700
_NAME = re.compile(r"(\d{20})-\d+-[0-9a-f]{8}")


def keep(folder: Path, data: bytes, owner: int) -> Path:
    """Set a copy aside; the oldest ones make room for it. Returns its path.

    Args:
        folder: where; it is made where it is missing.
        data: at most `MOST_BYTES`.
        owner: user id of who left it.

    Raises:
        OSError: it cannot be written. Nothing is left behind then.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(_MODE)
    with _open(folder) as held:
        os.fchmod(held.handle, _MODE)
        if os.geteuid() == 0:  # made by root for a daemon that is not
            above = folder.parent.stat()
            os.fchown(held.handle, above.st_uid, above.st_gid)
        _make_room(held, len(data))
        name = f"{time.time_ns():020d}-{owner}-{secrets.token_hex(4)}"
        with os.fdopen(held.create(name, 0o600), "wb") as file:
            try:
                file.write(data)
                file.flush()
            except OSError:
                held.discard(name)
                raise
    return folder / name


def thin(folder: Path, now: float) -> None:
    """Remove what has been there for `KEPT` seconds. Raises OSError.

    Args:
        folder: the same as for `keep`; it may be missing.
        now: seconds since 1970.
    """
    with contextlib.suppress(FileNotFoundError), _open(folder) as held:
        for name in _names(held):
            if int(name[:20]) / 1e9 < now - KEPT:
                held.discard(name)


def _open(folder: Path) -> Folder:
    """Not through a link, which may have been put there while the group could still write to the state folder."""
    return Folder(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC), os.fspath(folder))


def _names(held: Folder) -> list[str]:
    """The files that were set aside, the oldest first."""
    return sorted(name for name in held.names() if _NAME.fullmatch(name))


def _make_room(held: Folder, size: int) -> None:
    """Remove the oldest files until there is room for one more of `size` bytes."""
    sizes = {name: seen.st_size for name in _names(held) if (seen := held.stat(name)) is not None}
    total = sum(sizes.values())
    for name in list(sizes):
        if len(sizes) < MOST and total + size <= MOST_BYTES:
            return
        total -= sizes.pop(name)
        held.discard(name)
