"""What differs between kinds of workers: how to order, end and inspect one. All else of a pool is common; see `source.py` too.

A worker gets the orders of `wire.py` (Do, Stop, Clean, Exit), and sends Took, Loaded and the events of `part.py`. A kind that
needs more (a greeting, signs of life, blocks of a recording) handles that in its `Worker`, which passes all other messages on to
its ears, and Ask too: it shows the pool that a recording is being sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sttd.part import Cause, Failed, PartSpec
from sttd.pool.death import Death
from sttd.pool.wire import Forget, Order, WireError


@dataclass(frozen=True, slots=True)
class Ears:
    """Callbacks for what a worker does. They are called in the worker's own thread, one at a time; `ended` once, and last."""

    heard: Callable[[Any], None]  # a message; a WireError that it raises ends the worker
    ended: Callable[[Death], None]
    ready: Callable[[], None] = lambda: None  # it takes parts from now on; called where its source hires ahead


def never_sent(part: PartSpec, error: WireError) -> Failed:
    """The end of a part that cannot be encoded as an order: the next worker could not get it either."""
    key: dict[str, Any] = {"part_id": part.part_id, "attempt": part.attempt}
    return Failed(cause=Cause.ERROR, error=str(error), retriable=False, **key)


class Worker(Protocol):
    """One worker, hired and not yet started. No method waits for it."""

    name: str  # for people: `local/1`, `gpu1/2`
    pid: int | None  # of its process, once it is started; None: it works on another machine

    def start(self) -> None:
        """Start it. Called in the main thread, once, before all else.

        Raises:
            OSError: it cannot be started; `ended` is not called then.
        """

    def send(self, order: Order | Forget) -> bool:
        """Send an order. False: the worker is gone, or has read nothing for so long that it probably hangs.

        Raises:
            WireError: its part cannot be encoded. A worker that finds that out only later tells its ears `never_sent`.
        """

    def end(self, *, hard: bool) -> None:
        """End it: gently, so that it can print where it hangs, or hard: at once, with all processes that it has started.

        Without effect once it is gone. `ended` follows, unless nothing ends it; see `abandon`.
        """

    def abandon(self) -> None:
        """Not even a hard end helps: forget it. `ended` may come late, or never."""

    def rss(self) -> int:
        """Bytes resident of the worker itself; 0 where that is not known."""
