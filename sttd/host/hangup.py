"""A SIGHUP that comes while the daemon starts: the reload that it asks for is done once it runs, and ends nothing.

This is a module of its own, because it must be in force before the daemon's modules are imported.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


class Kept:
    """The handler until the daemon takes signals."""

    def __init__(self) -> None:
        self.came = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True


def ends_us() -> bool:
    """On a terminal SIGHUP says that it was closed: that is the end of a daemon in the foreground, and no reload."""
    return "NOTIFY_SOCKET" not in os.environ and sys.stdin is not None and sys.stdin.isatty()


def keep() -> None:
    """To be called in the main thread, as early as can be."""
    if not ends_us():
        signal.signal(signal.SIGHUP, Kept())
