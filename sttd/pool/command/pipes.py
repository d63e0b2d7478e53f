"""The pipes of a line to a far worker. A write never waits: what does not fit is written as the other side reads."""

from __future__ import annotations

import os
import select
import threading

from sttd.pool.command.carrier import Carrier

READ = 65536  # bytes at once
_ROOM = 2**18  # bytes that may wait to be written before the next block of a recording is read
_FULL = 2**20  # bytes that wait to be written; with more, the other side reads next to nothing


class Pipes:
    """`send`, `fall_silent`, `kill`, `wake` and `wait_for_room` are for any thread, the others only for the reader's."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._lock = threading.Lock()  # held for moments only
        self._room = threading.Condition(self._lock)
        self._rest = bytearray()
        self._is_over = False  # the carrier has ended, and the pipes are closed
        self._is_silent = False  # nothing is sent any more
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._orders, self._messages, self._errors = carrier.orders, carrier.messages, carrier.errors
        self._life = carrier.life
        self._poller = select.poll()
        for each in (self._wake, self._life, self._messages, self._errors):
            self._poller.register(each, select.POLLIN)
        self.exited = self.messages_closed = self.errors_closed = False

    def send(self, data: bytes) -> None:
        """Write the data, or queue it. Without effect where the other side reads no more: the reader's thread finds that out."""
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
        """Whether so much waits to be written that messages which are not needed should be left out."""
        with self._lock:
            return len(self._rest) > _FULL

    def wait_for_room(self) -> bool:
        """Wait until little is left to be written. False: the line has ended."""
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
        """The bytes of messages and of errors that have come. Waits until there are some, at most so many seconds."""
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
        """Kill the carrier and wait for its end; returns the exit code. It waits as long as even a killed carrier hangs."""
        self.kill()
        self._carrier.wait(is_silent=self._is_silent)
        with self._room:
            self._is_over = True
            self._room.notify_all()
            os.close(self._wake)
        return self._carrier.close()

    def _write(self) -> None:
        """Write what fits into the pipe. Called with the lock held."""
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
