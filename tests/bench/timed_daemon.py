"""`sttd` whose loop times its rounds: what each took beside waiting for an input goes to the file named by $ROUNDS.

A line for each round over `NOTED`: its seconds, those that the loop's thread had a processor, and the input that it acted on.
The latter is what the loop does; the former counts as well how long it waited for the disk, and for a processor.
"""

from __future__ import annotations

import os
import time

import sttd.daemon
from sttd.cli import main
from sttd.daemon.errands import Finished
from sttd.daemon.loop import Input, Loop

NOTED = 0.02  # seconds
_OUT = open(os.environ["ROUNDS"], "a", buffering=1, encoding="utf-8")  # noqa: SIM115 - open to the end


class Timed(Loop):
    """A round waits for an input only in `_next`."""

    _waited = 0.0
    _event = "nothing"

    def _next(self, wait: float) -> Input | None:
        began = time.perf_counter()
        event = super()._next(wait)
        self._waited += time.perf_counter() - began
        self._event = event.errand.name.split()[0] if isinstance(event, Finished) else type(event).__name__
        return event

    def _round(self) -> None:
        began, self._waited, self._event = time.perf_counter(), 0.0, "nothing"
        worked = time.thread_time()
        super()._round()
        worked = time.thread_time() - worked
        took = time.perf_counter() - began - self._waited
        if took >= NOTED:
            print(f"{took:.4f} {worked:.4f} {self._event}", file=_OUT)


if __name__ == "__main__":
    sttd.daemon.Loop = Timed  # type: ignore[misc]
    main()
