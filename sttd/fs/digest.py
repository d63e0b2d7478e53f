"""The SHA-256 of a file's content: it tells equal recordings apart from recordings of equal size."""

from __future__ import annotations

import hashlib
import os

from sttd.fs.regular import open_regular


def digest(path: str) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
