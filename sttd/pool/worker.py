"""What differs between workers: how one is told, ended and looked at. All else of a pool is common; see `source.py` too.

What goes to a worker are the orders of `wire.py` (Do, Stop, Clean, Exit), and what it says are Took, Loaded and the events
of `part.py`. What a kind needs beside these (a greeting, signs of life, blocks of a recording) is its own affair: its
`Worker` answers it, and passes the rest on to its ears; of the blocks, it passes on that one was asked for.
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
    """Who is told. They are called in the worker's own thread, one at a time; `ended` once, and last."""

    heard: Callable[[Any], None]  # a message; a WireError that it raises ends the worker
    ended: Callable[[Death], None]
    ready: Callable[[], None] = lambda: None  # it takes a part from now on, where its source hires ahead


def never_sent(part: PartSpec, error: WireError) -> Failed:
    """The end of a part that no order can hold; it would be so with the next worker too."""
    key: dict[str, Any] = {"part_id": part.part_id, "attempt": part.attempt}
    return Failed(cause=Cause.ERROR, error=str(error), retriable=False, **key)


class Worker(Protocol):
    """One worker, hired and not yet started. No method waits for it."""

    name: str  # for people: `local/1`, `gpu1/2`
    pid: int | None  # of its process on this machine, once it is started; None: it has none that is worth a look

    def start(self) -> None:
        """Start it. Called in the main thread, once, before all else.

        Raises:
            OSError: it cannot be started; `ended` is not called then.
        """

    def send(self, order: Order | Forget) -> bool:
        """Whether the order is on its way. False: the worker is gone, or has read nothing for so long that it is not to be trusted.

        Raises:
            WireError: there is a part in it that no order can hold. One that finds that out later says `never_sent` itself.
        """

    def end(self, *, hard: bool) -> None:
        """End it: gently, so that it can say where it hung, or at once with all that it may have started.

        Without effect once it is gone; `ended` follows, where anything helps.
        """

    def abandon(self) -> None:
        """Not even a hard end helps: forget it. `ended` may come late, or never."""

    def rss(self) -> int:
        """Bytes resident of the worker itself; 0 where that is not known."""
