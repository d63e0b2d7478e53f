"""What a file descriptor leads to. Imports nothing heavy: the last words of a command need it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping


def is_journal(fd: int, environ: Mapping[str, str]) -> bool:
    """Whether `fd` is the stream that systemd opened to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        seen = os.fstat(fd)
    except OSError:  # closed
        return False
    return stat.S_ISSOCK(seen.st_mode) and environ.get("JOURNAL_STREAM") == f"{seen.st_dev}:{seen.st_ino}"
