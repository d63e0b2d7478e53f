"""What was created, renamed or removed in a folder is on disk only once the folder is synced (fsync(2))."""

from __future__ import annotations

import os


def fsync_folder(folder: str | os.PathLike[str]) -> None:
    """Raises OSError: the disk's fault, or the folder is gone."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
