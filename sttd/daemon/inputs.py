"""The loop's queue. A worker that sends more than the loop takes has to wait: it delays no other and fills no memory."""

from __future__ import annotations

import queue
import threading
from typing import Generic, TypeVar

from sttd.part import ENDS, Event, Message

MOST = 8  # messages of one part that may wait: one may take 40 MiB
_PATIENCE = 60.0  # seconds after which a message is queued all the same: the loop hangs, and the thread must see its worker's end

T = TypeVar("T")


class Inputs(queue.SimpleQueue[T], Generic[T]):
    """A queue as any other, but for `tell`, which is for the threads that read what workers say."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()
        self._waiting: dict[str, int] = {}  # messages by part id
        self._is_closed = False

    def tell(self, event: Event) -> None:
        """Queue an event, once few of its part wait. An end does not wait: it comes only once, perhaps from the loop's thread."""
        with self._changed:
            if not isinstance(event, ENDS):
                self._changed.wait_for(lambda: self._is_closed or self._count(event) < MOST, _PATIENCE)
            self._waiting[event.part_id] = self._count(event) + 1
        self.put(event)  # type: ignore[arg-type]

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        thing = super().get(block, timeout)
        self._take(thing)
        return thing

    def get_nowait(self) -> T:
        thing = super().get_nowait()
        self._take(thing)
        return thing

    def close(self) -> None:
        """The loop takes nothing any more, so no thread waits."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _count(self, event: Message) -> int:
        return self._waiting.get(event.part_id, 0)

    def _take(self, thing: object) -> None:
        if not isinstance(thing, Message):
            return
        with self._changed:
            left = self._count(thing) - 1
            if left > 0:
                self._waiting[thing.part_id] = left
            else:
                self._waiting.pop(thing.part_id, None)
            self._changed.notify_all()
