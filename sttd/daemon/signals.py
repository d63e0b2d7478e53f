"""Signals are only queued: the loop acts on them in its turn."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

TAKEN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Signal:
    number: int


@contextlib.contextmanager
def signals_taken(put: Callable[[Signal], None]) -> Iterator[None]:
    """`take_signals`, for as long as the block lasts."""
    before = {number: signal.getsignal(number) for number in TAKEN}
    take_signals(put)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def take_signals(put: Callable[[Signal], None]) -> None:
    """SIGTERM, SIGINT and SIGHUP become inputs; the handler does nothing else.

    On a terminal SIGHUP says that it was closed: that is the end of a daemon in the foreground, and no reload.
    """
    hangs_up = "NOTIFY_SOCKET" not in os.environ and sys.stdin is not None and sys.stdin.isatty()

    def handler(number: int, _frame: FrameType | None) -> None:
        put(Signal(signal.SIGTERM if number == signal.SIGHUP and hangs_up else number))

    for number in TAKEN:
        signal.signal(number, handler)
