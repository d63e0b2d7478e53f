"""The pipes of a line to a far worker. A write never waits: what does not fit is written as the other side reads."""

from __future__ import annotations

import os
import select
import threading

from sttd.pool.command.carrier import Carrier

READ = 65536  # bytes at once
_ROOM = 2**18  # bytes that may wait to be written before the next block of a recording is read
_FULL = 2**20  # bytes that wait to be written where the other side reads next to nothing


class Pipes:
    """`send`, `fall_silent`, `kill`, `wake` and `wait_for_room` may be called from any thread, the others from the reader's alone."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._lock = threading.Lock()  # held for moments only
        self._room = threading.Condition(self._lock)
        self._rest = bytearray()
        self._is_over = False  # no carrier, no pipe
        self._is_silent = False  # nothing is sent any more
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._orders, self._messages, self._errors = carrier.orders, carrier.messages, carrier.errors
        self._life = carrier.life
        self._poller = select.poll()
        for each in (self._wake, self._life, self._messages, self._errors):
            self._poller.register(each, select.POLLIN)
        self.exited = self.messages_closed = self.errors_closed = False

    def send(self, data: bytes) -> None:
        """Without effect where nobody reads any more: the reader finds that out."""
        with self._lock:
            if not (self._is_over or self._is_silent):
                self._rest += data
                self._write()
                if self._rest:
                    os.eventfd_write(self._wake, 1)

    def fall_silent(self) -> None:
        """Send nothing any more, no sign of life either: the far side ends by itself then."""
        with self._lock:
            self._is_silent = True
            self._rest.clear()

    @property
    def is_blocked(self) -> bool:
        """Whether something waits to be written."""
        with self._lock:
            return bool(self._rest)

    @property
    def is_full(self) -> bool:
        """Whether so much waits that what may be left out is."""
        with self._lock:
            return len(self._rest) > _FULL

    def wait_for_room(self) -> bool:
        """Until little waits to be written; False: the line is over."""
        with self._room:
            self._room.wait_for(lambda: self._is_over or len(self._rest) < _ROOM)
            return not self._is_over

    def wake(self) -> None:
        with self._lock:
            if not self._is_over:
                os.eventfd_write(self._wake, 1)

    def kill(self) -> None:
        with self._lock:
            if not self._is_over:
                self._carrier.kill()

    def wait(self, seconds: float) -> tuple[bytes, bytes]:
        """What has come of messages and of errors, once something has, but not later than in so many seconds."""
        ready = {each for each, _ in self._poller.poll(max(0.0, 1000 * seconds))}
        if self._wake in ready:
            os.eventfd_read(self._wake)
        with self._lock:
            self._write()
            if self._rest:
                self._poller.register(self._orders, select.POLLOUT)
            elif self._orders in ready:
                self._poller.unregister(self._orders)
        if self._life in ready:  # what the far worker had written is in the pipes by now
            self.exited = True
            self._poller.unregister(self._life)
        messages, self.messages_closed = self._read(self._messages, self.messages_closed, ready)
        errors, self.errors_closed = self._read(self._errors, self.errors_closed, ready)
        return messages, errors

    def reap(self) -> int | None:
        """End what is left of it; returns the exit code. It hangs as long as the carrier does, even after its kill."""
        self.kill()
        self._carrier.wait(is_silent=self._is_silent)
        with self._room:
            self._is_over = True
            self._room.notify_all()
            os.close(self._wake)
        return self._carrier.close()

    def _write(self) -> None:
        """What has room in the pipe, with the lock held."""
        if not self._rest:
            return
        try:
            del self._rest[: os.write(self._orders, self._rest)]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._rest.clear()
        self._room.notify_all()

    def _read(self, pipe: int, closed: bool, ready: set[int]) -> tuple[bytes, bool]:
        if closed or pipe not in ready:
            return b"", closed
        try:
            data = os.read(pipe, READ)
        except BlockingIOError:
            return b"", False
        if not data:
            self._poller.unregister(pipe)
        return data, not data
