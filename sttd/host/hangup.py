"""A SIGHUP that comes while the daemon starts must not end it: the reload is done as soon as the daemon runs.

This is a module of its own, because it must be in force before the daemon's modules are imported.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


class Kept:
    """The handler until the daemon installs its own: it only remembers that a SIGHUP came."""

    def __init__(self) -> None:
        self.came = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True


def ends_us() -> bool:
    """Whether SIGHUP ends this process: on a terminal it means that the terminal was closed, and is no request to reload."""
    return "NOTIFY_SOCKET" not in os.environ and sys.stdin is not None and sys.stdin.isatty()


def keep() -> None:
    """To be called in the main thread, as early as can be."""
    if not ends_us():
        signal.signal(signal.SIGHUP, Kept())
