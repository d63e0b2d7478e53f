"""The daemon's end of a worker on the cluster: three pipes and a socket, whose other ends the driver has."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket

from sttd.pool.death import spoken
from sttd.pool.ray import wire
from sttd.pool.ray.link import Link
from sttd.pool.ray.wire import End

_LAST = 30.0  # seconds that the driver may take to see a killed worker gone; Ray kills a stopped one after 5
_ROOM = 2**20  # bytes that the driver reads at once


class Tunnel:
    """See `Carrier`."""

    def __init__(self, link: Link, name: str) -> None:
        """Raises OSError: there are no more descriptors, or the driver has just died."""
        self._link = link
        self._end = End(int(-signal.SIGKILL))
        with contextlib.ExitStack() as opened, contextlib.ExitStack() as lent:
            orders, self.orders = _pipe(lent, opened)
            self.messages, messages = _pipe(opened, lent)
            self.errors, errors = _pipe(opened, lent)
            self._life, life = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
            opened.enter_context(self._life)
            lent.enter_context(life)
            with contextlib.suppress(OSError):  # the user has as much in pipes as allowed
                fcntl.fcntl(orders, fcntl.F_SETPIPE_SZ, _ROOM)
            link.hire(name, [life.fileno(), orders, messages, errors])
            self._opened = opened.pop_all()
        self.life = self._life.fileno()

    def kill(self) -> None:
        with contextlib.suppress(OSError):  # it is over, or the driver is
            self._life.send(wire.KILL)

    def wait(self, *, is_silent: bool) -> None:
        """A silent worker is not waited for: the driver waits until it is gone, and till then Ray keeps its room reserved."""
        poller = select.poll()
        poller.register(self._life, select.POLLIN)
        poller.poll(0 if is_silent else 1000 * _LAST)

    def close(self) -> int:
        with contextlib.suppress(BlockingIOError):  # the driver has not sent an End
            data = self._last_word()
            self._end = wire.end(data) if data else End(self._end.exitcode, self._link.post_mortem())
        self._opened.close()
        self._link.released()
        return self._end.exitcode

    def _last_word(self) -> bytes:
        try:
            return self._life.recv(wire.PACKET)
        except ConnectionResetError:  # comes once, before the End itself: the driver had not read KILL
            return self._life.recv(wire.PACKET)

    def words(self, exitcode: int | None, said: str, printed: str, *, was_ready: bool) -> str:  # noqa: ARG002
        if self._end.why:
            return self._end.why
        what = f"sttd worker ended ({spoken(exitcode)})" + ("" if was_ready else " before it answered")
        return f"{what}: {said}" if said else what


def _pipe(read: contextlib.ExitStack, write: contextlib.ExitStack) -> tuple[int, int]:
    """Its two ends, each closed with its stack."""
    ends = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    for stack, end in zip((read, write), ends, strict=True):
        stack.callback(os.close, end)
    return ends
