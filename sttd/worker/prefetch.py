"""Work ahead in a thread: while one batch is in the model, the next is decoded, cut and turned into features.

The queue is bounded, so that memory is too; the thread ends soon after its consumer has closed it; and what it raises
is raised in the consumer.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

_LOOK = 1.0  # seconds between two checks of the thread's processor time
_JOIN = 5.0  # seconds to wait for the thread at the end; one that hangs in a dead mount's read is left behind


class Closed(BaseException):
    """Ends the producing thread from within `put`; no Exception, so that no producer handles it as an error of its own."""


class Stuck(Exception):
    """The thread computes without end in a library call that cannot be interrupted: its process must not be used any more."""


class Prefetch(Generic[T]):
    """Iterates over what `produce` puts, at most `depth` things ahead. A context manager: leaving it ends the thread.

    Args:
        produce: runs in the thread, with this object to `put` things into.
        depth: things that may wait to be taken.
        patience: seconds of processor time that the thread may take between two calls of `alive` or `put`.
    """

    def __init__(self, produce: Callable[[Prefetch[T]], None], depth: int, patience: float = math.inf) -> None:
        self._produce = produce
        self._depth = depth
        self._patience = patience
        self._clock: int | None = None  # of the thread's processor time
        self._alive_at = 0.0  # on it
        self._ready: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        if kind is not Stuck:
            self._thread.join(_JOIN)

    def __iter__(self) -> Iterator[T]:
        """The things in order.

        Raises:
            Stuck: see there. Else what `produce` raised.
        """
        while True:
            with self._changed:
                while not self._changed.wait_for(lambda: self._ready or self._ended, _LOOK):
                    self._check()
                if not self._ready:
                    break
                thing = self._ready.popleft()
                self._changed.notify_all()
            yield thing
        if self._error is not None:
            raise self._error

    def alive(self) -> None:
        """Called by the producer, in its thread, whenever it has made progress."""
        self._alive_at = time.thread_time()

    def _check(self) -> None:
        if self._clock is not None and time.clock_gettime(self._clock) - self._alive_at > self._patience:
            raise Stuck

    def put(self, thing: T) -> None:
        """Called by the producer, in its thread; waits for room.

        Raises:
            Closed: nobody takes anything any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._ready) < self._depth)
            if self._closed:
                raise Closed
            self._ready.append(thing)
            self.alive()
            self._changed.notify_all()

    def _run(self) -> None:
        error: BaseException | None = None
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        try:
            self._produce(self)
        except Closed:
            pass
        except BaseException as raised:  # noqa: BLE001 - crosses over to the consumer
            error = raised
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()
