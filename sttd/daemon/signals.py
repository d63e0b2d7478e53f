"""Signals are only queued: the loop acts on them in its turn."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from sttd.host import hangup

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
    """Turn SIGTERM, SIGINT and SIGHUP into inputs, also a SIGHUP that came before; the handler does nothing else."""
    hangs_up = hangup.ends_us()
    before = signal.getsignal(signal.SIGHUP)

    def handler(number: int, _frame: FrameType | None) -> None:
        put(Signal(signal.SIGTERM if number == signal.SIGHUP and hangs_up else number))

    for number in TAKEN:
        signal.signal(number, handler)
    if isinstance(before, hangup.Kept) and before.came:
        put(Signal(signal.SIGHUP))
