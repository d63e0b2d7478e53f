"""The SHA-256 of a file's content: it tells equal recordings apart from recordings of equal size."""

from __future__ import annotations

import hashlib
import os

from sttd.fs.blame import reading
from sttd.fs.regular import open_regular


def digest(path: str) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    handle = open_regular(path)
    try:
        return digest_of(handle)
    finally:
        os.close(handle)


def digest_of(handle: int) -> str:
    """The SHA-256 of an open file, from its first byte.

    Raises:
        OSError: it cannot be read; Unreadable where only this file is damaged.
    """
    os.lseek(handle, 0, os.SEEK_SET)
    with os.fdopen(os.dup(handle), "rb") as file, reading():
        return hashlib.file_digest(file, "sha256").hexdigest()
