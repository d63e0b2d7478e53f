"""A worker without a process: a thread that does what the child process does, over a pipe of its own.

What ends a process ends the thread here, by an exception; what stops one waits for a hard end. So the pool's rules are
tried without the habits of processes, and with every word of the wire.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import signal
import threading
from typing import Any

from sttd.config import Config
from sttd.part import PartSpec
from sttd.pool.death import Death
from sttd.pool.local.child import Child, Settings
from sttd.pool.wire import Decoder, Do, Exit, Forget, Order, Took, WireError, encode
from sttd.pool.worker import Ears, Worker

_CLOSING = 0.5  # seconds that it may live on without its pipe
_numbers = itertools.count(1_000_000)  # no process has such an id
_fakes: dict[int, FakeWorker] = {}


def fakes() -> list[int]:
    """The numbers of those that live."""
    return list(_fakes)


def signal_fake(number: int, which: int) -> None:
    """As os.kill does it with processes."""
    if which == signal.SIGSTOP:
        _fakes[number].is_stopped = True
    elif which == signal.SIGKILL:
        _fakes[number].die(which)


def is_fake_stopped(number: int) -> bool:
    return _fakes[number].is_stopped


class Dies(BaseException):
    """The process would have ended here."""

    def __init__(self, exitcode: int) -> None:
        super().__init__()
        self.exitcode = exitcode


class FakeSource:
    """See `Source`."""

    name = "fake"
    here = True
    ahead = False

    def __init__(self, config: Config) -> None:
        self.configure(config)

    def slots(self, *, alone: bool) -> int:
        return self._config.worker_count()

    def most_slots(self, *, alone: bool) -> int:
        return self.slots(alone=alone)

    def configure(self, config: Config) -> None:
        self._config = config

    def hire(self, number: int, ears: Ears) -> Worker:
        memory = self._config.memory
        settings = Settings(
            os.getpid(), memory.cleanup_every_chunks, memory.cleanup_cooldown, worker="tests.pool.contract.painless"
        )
        return FakeWorker(f"fake/{number + 1}", ears, settings)

    def fitted(self, part: PartSpec) -> PartSpec:
        return part

    def oom_kills(self) -> int:
        return 0

    def close(self) -> None:
        pass


class FakeWorker:
    """See `Worker`. `number` stands for the process id."""

    pid: int | None = None

    def __init__(self, name: str, ears: Ears, settings: Settings) -> None:
        self.name, self.number = name, next(_numbers)
        self._ears, self._settings = ears, settings
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._over = False
        self._exitcode = 0
        self._ended_by = 0  # the signal
        self._wake = threading.Event()
        self.is_deaf = self.is_stopped = False

    def start(self) -> None:
        self._reading, self.messages = os.pipe()
        self._child = Mortal(self, self.messages, self._settings)
        _fakes[self.number] = self
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        self._thread.start()
        threading.Thread(target=self._read, name=f"{self.name}-reader", daemon=True).start()

    def send(self, order: Order | Forget) -> bool:
        if self._over:
            return False
        encode(order)  # as others do
        self._child._take(order)
        self._orders.put(order)
        return True

    def end(self, *, hard: bool) -> None:
        if hard or not self.is_deaf:
            self.die(signal.SIGKILL if hard else signal.SIGTERM)

    def die(self, number: int) -> None:
        self._ended_by = self._ended_by or number
        self._orders.put(Exit())
        self._wake.set()

    def abandon(self) -> None:
        pass

    def rss(self) -> int:
        return 2**21

    def live(self) -> None:
        """Called wherever a process could be stopped or ended."""
        if self.is_stopped:
            self._wake.wait()
        if self._ended_by:
            raise Dies(-self._ended_by)

    def hang(self) -> None:
        self._wake.wait()
        self.live()

    def _work(self) -> None:
        threading.current_thread().fake = self  # type: ignore[attr-defined]
        try:
            while not isinstance(order := self._orders.get(), Exit):
                self.live()
                if isinstance(order, Do):
                    self._child._send(Took(order.part.part_id, order.part.attempt))
                    self._child._send(self._child._attempt(order.part))
            self.live()
        except Dies as death:
            self._exitcode = death.exitcode
        except BrokenPipeError:  # the reader has heard enough
            self._exitcode = -signal.SIGKILL
        finally:
            self._over = True
            with contextlib.suppress(OSError):  # closed by a word of its script
                os.close(self.messages)

    def _read(self) -> None:
        problem, decoder = "", Decoder()
        try:
            while data := os.read(self._reading, 65536):
                for message in decoder.feed(data):
                    self._ears.heard(message)
            self._thread.join(_CLOSING)
            if self._thread.is_alive():
                problem = "no more messages: it closed its pipe"
        except WireError as error:
            problem = str(error)
        if problem:
            self.end(hard=True)
        os.close(self._reading)
        self._thread.join()
        _fakes.pop(self.number)
        self._ears.ended(Death(self._exitcode, problem))


class Mortal(Child):
    """A child that can be ended between two messages."""

    def __init__(self, fake: FakeWorker, messages: int, settings: Settings) -> None:
        super().__init__(messages, settings)
        self._fake = fake

    def _send(self, message: Any) -> None:
        self._fake.live()
        super()._send(message)
