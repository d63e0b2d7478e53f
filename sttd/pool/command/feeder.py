"""Reads the disk for a far worker: the ends of a recording before its part is sent, and the blocks that the worker asks for.

A thread of its own does that, because a share may hang: beats and kills go on meanwhile.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sttd.part import Failed, PartSpec
from sttd.pool.blocks import AHEAD, answer, ends_of, not_read
from sttd.pool.wire import Ask, Do, FarOrder, WireError
from sttd.pool.worker import never_sent

_FURTHEST = 2**63 - 2**32  # bytes: the largest offset and length that are accepted


@dataclass(frozen=True, slots=True)
class Way:
    """How the feeder reaches the line and the pool. `send` is called in any thread, the others in the feeder's."""

    send: Callable[[FarOrder], None]
    wait_for_room: Callable[[], bool]  # False: the line has ended
    failed: Callable[[Failed], None]  # the part ends before it is sent


class Feeder:
    """`order` and `ask` may be called from any thread, and do not wait."""

    def __init__(self, name: str, way: Way) -> None:
        self._way = way
        self._lock = threading.Lock()
        self._held: list[FarOrder] | None = None  # orders that wait behind a part that is not sent yet
        self._part: PartSpec | None = None  # the latest one
        self._asked = 0  # blocks that are not read yet
        self._work: queue.SimpleQueue[Do | Ask | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"{name}-feeder", daemon=True)

    def start(self) -> None:
        """Raises RuntimeError: there are no more threads to be had."""
        self._thread.start()

    def stop(self) -> None:
        """The thread ends after its current read."""
        self._work.put(None)

    def order(self, order: FarOrder) -> None:
        """Send an order, after all earlier ones."""
        with self._lock:
            if isinstance(order, Do):
                self._held, self._part = [], order.part
                self._work.put(order)
            elif self._held is not None:
                self._held.append(order)
            else:
                self._way.send(order)

    def ask(self, ask: Ask) -> None:
        """Queue a question for a block. Raises WireError: no file has such a block, or too many questions wait."""
        if not all(isinstance(each, int) and 0 <= each <= _FURTHEST for each in (ask.offset, ask.length)):
            raise WireError("a question for no bytes of a file")
        with self._lock:
            self._asked += 1
            if self._asked > 2 * AHEAD:
                raise WireError("more questions for blocks than it may")
        self._work.put(ask)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            if isinstance(work, Do):
                self._do(work.part)
            elif not self._answer(work):
                return

    def _do(self, part: PartSpec) -> None:
        try:
            ends = ends_of(part.source, part.size, part.below)
        except OSError as error:
            cause, text = not_read(part.source, error)
            self._flush(None)
            self._way.failed(
                Failed(part_id=part.part_id, attempt=part.attempt, cause=cause, error=text, retriable=True)
            )
        else:
            self._give(dataclasses.replace(part, ends=ends))

    def _give(self, part: PartSpec) -> None:
        try:
            self._flush(Do(part))
        except WireError as error:
            self._way.failed(never_sent(part, error))

    def _flush(self, order: Do | None) -> None:
        with self._lock:
            held, self._held = self._held or [], None
            for each in [order, *held] if order else held:
                self._way.send(each)

    def _answer(self, ask: Ask) -> bool:
        """Send one block, once there is room for it. False: the line has ended."""
        with self._lock:
            self._asked -= 1
            part = self._part
        if part is None or (ask.part_id, ask.attempt) != (part.part_id, part.attempt):
            return True
        if not self._way.wait_for_room():
            return False
        self._way.send(answer(ask, part))
        return True
