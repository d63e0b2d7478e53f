"""The line to the head: frames both ways, beats, and an end when the head falls silent."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import threading
import time
from collections.abc import Iterator

from sttd.pool.wire import MARK, MOST, Beat, Decoder, FarOrder, Hello, encode

_GREETING = 60.0  # seconds that the head may read nothing before its Setup says how long it may
_ROOM = 2**20  # bytes that are read at once: while a recording is sent, the processes wake each other less often


class LineBroken(Exception):
    """The head is gone, or silent for too long."""


class Line:
    """Only `orders` is for one thread alone. `send` waits for the head to read, at most as long as the head may be silent."""

    def __init__(self, orders: int, messages: int) -> None:
        """Both are file descriptors."""
        self.silence = 0.0  # seconds without a byte that end `orders`
        self._orders = orders
        self._messages = messages
        self._writing = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._broken = False
        with contextlib.suppress(OSError):  # no pipe, or the user's pipes are as large as allowed
            fcntl.fcntl(orders, fcntl.F_SETPIPE_SZ, _ROOM)

    def greet(self, hello: Hello) -> None:
        """Send the mark and Hello: the mark parts them from what a shell's profile has printed before."""
        self._write(MARK + encode(hello))

    def send(self, message: object) -> None:
        """Send a message. Without effect where nobody reads any more: `orders` raises LineBroken then.

        Raises:
            WireError: see `encode`.
        """
        self._write(encode(message))

    def _write(self, data: bytes) -> None:
        rest, room = memoryview(data), select.poll()
        room.register(self._messages, select.POLLOUT)
        with self._writing:
            while rest and not self._broken:
                try:
                    if not room.poll(1000 * (self.silence or _GREETING)):
                        raise TimeoutError
                    rest = rest[
                        os.write(self._messages, rest[: select.PIPE_BUF]) :
                    ]  # which a pipe with room takes at once
                except OSError:  # the pipe or the connection is closed, or nobody reads
                    self._broken = True
                    self.wake()

    def beat(self, seconds: float) -> None:
        """Send a Beat every so many seconds from now on."""
        never = threading.Event()

        def beats() -> None:
            while not never.wait(seconds):
                self.send(Beat())

        threading.Thread(target=beats, name="beats", daemon=True).start()

    def wake(self) -> None:
        """Let `orders` yield None, from any thread."""
        os.eventfd_write(self._wake, 1)

    def orders(self, silence: float) -> Iterator[FarOrder | None]:
        """The orders as they come, beats left out; None after `wake`.

        Args:
            silence: seconds without a byte that end it, until `self.silence` is set otherwise.

        Raises:
            LineBroken: the head has closed the line, or is silent.
            WireError: foreign bytes came.
        """
        self.silence = silence
        decoder = Decoder(MOST)
        poller = select.poll()
        poller.register(self._orders, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        heard = time.monotonic()
        while True:
            left = heard + self.silence - time.monotonic()
            if left <= 0:
                raise LineBroken(f"nothing was heard of the other side for {self.silence:g} s")
            ready = {each for each, _ in poller.poll(1000 * min(left, 3600.0))}
            if self._wake in ready:
                os.eventfd_read(self._wake)
                if self._broken:
                    raise LineBroken("the other side reads no more")
                yield None
            if self._orders in ready:
                data = os.read(self._orders, _ROOM)
                if not data:
                    raise LineBroken("the other side has closed the line")
                heard = time.monotonic()
                yield from (order for order in decoder.feed(data) if not isinstance(order, Beat))
