"""What a file descriptor leads to. Imports nothing heavy: every command needs it, and even its last message on an error."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping


def is_journal(fd: int, environ: Mapping[str, str]) -> bool:
    """Whether `fd` is the stream that systemd opened to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        seen = os.fstat(fd)
    except OSError:  # closed
        return False
    return stat.S_ISSOCK(seen.st_mode) and environ.get("JOURNAL_STREAM") == f"{seen.st_dev}:{seen.st_ino}"


def open_closed() -> None:
    """Open each standard stream that is closed (`>&-`) on /dev/null.

    Else the next file that is opened gets its number, and what a dying worker prints is written into that file. And what is
    meant for a closed standard error, Python prints to standard output.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            os.set_inheritable(number, True)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nothing, "r" if name == "stdin" else "w", encoding="utf-8"))
