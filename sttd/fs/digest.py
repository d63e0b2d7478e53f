"""The SHA-256 of a file's content: it tells equal recordings apart from recordings of equal size."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest(path: str) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
