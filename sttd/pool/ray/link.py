"""The driver's process, from the daemon's side: started, asked to hire, listened to, and ended."""

from __future__ import annotations

import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence

from sttd.pool.command.carrier import Command
from sttd.pool.command.pipes import Pipes
from sttd.pool.command.stderr import Stderr
from sttd.pool.death import spoken
from sttd.pool.ray import wire
from sttd.pool.ray.wire import Cluster, DriverFailed, Slots

DRIVER = (sys.executable, "-m", "sttd.pool.ray")
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")  # Ray colours its output also where it goes to no terminal
_ANOTHER = b"WrongClusterID"  # Ray prints it before a stack, and then aborts the driver
_SILENCE = 30.0  # seconds without a line of the driver, after which it counts as hanging
_CLOSING = 5.0  # seconds that it may take to end, once it is told to


class Link:
    """One driver, for as long as it lives. `hire` and `close` are for the main thread."""

    def __init__(
        self, cluster: Cluster, command: Sequence[str] = DRIVER, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start it. Raises OSError: there are no more processes, threads or descriptors to be had."""
        self.cluster = cluster
        self.slots: int | None = None  # see `wire.Slots`; None: the cluster is not reached yet
        self._clock = clock
        self._stderr = Stderr("ray", clock)
        self._why = ""  # the driver has ended, in words
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._workers = 0
        self._is_retired = False
        self._way, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._way.setblocking(False)
        with theirs:
            driver = Command([*command, wire.pack(cluster).decode()], theirs.fileno())
        try:
            self._pipes = Pipes(driver)
        except OSError:  # no more descriptors
            driver.kill()
            driver.wait(is_silent=True)
            driver.close()
            self._way.close()
            raise
        try:
            threading.Thread(target=self._run, name="ray-driver", daemon=True).start()
        except RuntimeError as error:  # no more threads
            self._pipes.reap()
            self._way.close()
            raise OSError(f"no thread for the driver of Ray: {error}") from error

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def hire(self, name: str, descriptors: Sequence[int]) -> None:
        """Raises OSError: the driver has just died, or too many hires wait for it."""
        socket.send_fds(self._way, [name.encode()], descriptors)
        with self._lock:
            self._workers += 1

    def released(self) -> None:
        """A worker that was hired has ended."""
        with self._lock:
            self._workers -= 1
        self._end_if_retired()

    def retire(self) -> None:
        """End the driver once its last worker has ended."""
        self._is_retired = True
        self._end_if_retired()

    def close(self) -> None:
        """End it, and wait for that a moment."""
        self._way.close()
        if not self._over.wait(_CLOSING):
            self._pipes.kill()
            self._over.wait(_CLOSING)

    def post_mortem(self) -> str:
        """Why the driver has ended; waits a moment for that end."""
        self._over.wait(_CLOSING)
        return self._why or "the driver of Ray does not answer"

    def _end_if_retired(self) -> None:
        with self._lock:
            if self._is_retired and not self._workers:
                self._way.close()

    def _run(self) -> None:
        """Listen until the driver has ended; one that sends nonsense is killed."""
        why = ""
        try:
            why = self._listen()
        except wire.Nonsense as error:
            why = f"the driver of Ray was killed: {error}"
        finally:
            exitcode = self._pipes.reap()
            self._stderr.close()
            self._why = why or _ended(exitcode, self._stderr.last)
            self.slots = None
            self._over.set()

    def _listen(self) -> str:
        """Listen until it ends, or is silent for too long; returns why, where that is known.

        Raises:
            Nonsense: it said something that no driver says.
        """
        why, heard, line = "", self._clock(), bytearray()
        while not self._pipes.exited:
            messages, errors = self._pipes.wait(heard + _SILENCE - self._clock())
            self._stderr.feed(_COLOUR.sub(b"", errors))
            if _ANOTHER in errors:
                why = "the head of the cluster was started again, and knows nothing of what ran before"
            if messages:
                heard = self._clock()
                *lines, rest = bytes(line + messages).split(b"\n")
                line = bytearray(rest)
                why = "".join(self._take(each) for each in lines) or why
            elif self._clock() - heard >= _SILENCE:
                return why or f"the driver of Ray was killed: nothing was heard of it for {_SILENCE:g} s"
        return why

    def _take(self, line: bytes) -> str:
        """Take a line; returns why the driver ends, if the line says so."""
        news = wire.news(line)
        if isinstance(news, DriverFailed):
            return news.why
        if isinstance(news, Slots):
            self.slots = news.slots
        return ""


def _ended(exitcode: int | None, said: str) -> str:
    what = f"the driver of Ray ended ({spoken(exitcode)})"
    return f"{what}: {said}" if said else what
