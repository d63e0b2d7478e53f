"""Work ahead in a thread: while one batch is in the model, the next is decoded, cut and turned into features.

The queue is bounded, so that memory is too; the thread ends soon after its consumer has closed it; and what it raises
is raised in the consumer.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

_JOIN = 5.0  # seconds to wait for the thread at the end; one that hangs in a dead mount's read is left behind


class Closed(BaseException):
    """Ends the producing thread from within `put`; no Exception, so that no producer takes it for a trouble of its own."""


class Prefetch(Generic[T]):
    """Iterates over what `produce(put)` puts, at most `depth` things ahead. A context manager: leaving it ends the thread."""

    def __init__(self, produce: Callable[[Callable[[T], None]], None], depth: int) -> None:
        self._produce = produce
        self._depth = depth
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
        self._thread.join(_JOIN)

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._ended)
                if not self._ready:
                    break
                thing = self._ready.popleft()
                self._changed.notify_all()
            yield thing
        if self._error is not None:
            raise self._error

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
            self._changed.notify_all()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._produce(self.put)
        except Closed:
            pass
        except BaseException as raised:  # noqa: BLE001 - crosses over to the consumer
            error = raised
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()
