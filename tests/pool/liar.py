"""A far side that says whatever a test wants, in this process: no command is started for it."""

from __future__ import annotations

import dataclasses
import os
import select
import threading

from sttd import __version__
from sttd.config import Config, Remote
from sttd.part import Loaded, ModelSpec, Started
from sttd.pool.command.setup import setup_of
from sttd.pool.command.source import CommandSource
from sttd.pool.command.worker import CommandWorker, Terms
from sttd.pool.wire import MARK, MOST, PROTOCOL, Decoder, Do, Hello, Ready, Took, encode
from sttd.pool.worker import Ears
from tests.harness import wait_for

HELLO = Hello({"host": "gpu1", "version": __version__, "protocol": PROTOCOL})


class Liar:
    """See `Carrier`. It greets as it should; what it says of a part is the test's: `say`."""

    def __init__(self, greeting: bytes = MARK + encode(HELLO) + encode(Ready())) -> None:
        self._orders, self.orders = os.pipe()
        self.messages, self._messages = os.pipe()
        self.errors, self._errors = os.pipe()
        self.life = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        for each in (self.orders, self.messages, self.errors):
            os.set_blocking(each, False)
        self._lock = threading.Lock()
        self.is_over = False
        self.say(greeting)

    def say(self, *messages: object) -> None:
        """Words, or bytes. Without effect once it was killed."""
        data = b"".join(each if isinstance(each, bytes) else encode(each) for each in messages)
        with self._lock:
            if not self.is_over:
                os.write(self._messages, data)

    def orders_until(self, kind: type) -> list[object]:
        """What the head has sent, up to a word of this kind."""
        came: list[object] = []
        decoder = Decoder(MOST)

        def read() -> bool:
            if select.select([self._orders], [], [], 0)[0]:
                came.extend(decoder.feed(os.read(self._orders, 2**20)))
            return any(isinstance(each, kind) for each in came)

        wait_for(read, kind.__name__)
        return came

    def kill(self) -> None:
        with self._lock:
            if not self.is_over:
                self.is_over = True
                os.eventfd_write(self.life, 1)
                for each in (self._messages, self._errors):
                    os.close(each)

    def wait(self, *, is_silent: bool) -> None:
        pass

    def close(self) -> int:
        for each in (self._orders, self.orders, self.messages, self.errors, self.life):
            os.close(each)
        return -9

    def words(self, exitcode: int | None, said: str, printed: str, *, was_ready: bool) -> str:
        return "it was killed"


class LiarSource(CommandSource):
    """Its workers are liars, one after the other."""

    def __init__(self, config: Config) -> None:
        self.liars: list[Liar] = []
        remotes = (Remote("far", ("liar",)),)
        super().__init__(dataclasses.replace(config, remotes=remotes), "far")

    def configure(self, config: Config) -> None:
        super().configure(dataclasses.replace(config, remotes=(Remote("far", ("liar",)),)))

    def hire(self, number: int, ears: Ears) -> CommandWorker:
        setup = setup_of(self._config, number=number, slots=1, device="auto", cpu_threads=1)
        return CommandWorker("far/1", Terms(self._carry, setup, 60.0, 60.0), ears)

    def _carry(self) -> Liar:
        self.liars.append(Liar())
        return self.liars[-1]


def begun(part_id: str = "1.0", attempt: int = 1) -> tuple[object, ...]:
    """What a worker says until it comes to its first chunk."""
    started = Started(
        part_id=part_id, attempt=attempt, pid=1, model="demo", requested_model="demo", fallback_reason="", stuck=False,
        load_seconds=0.0, audio_seconds=100.0,
    )  # fmt: skip
    return Took(part_id, attempt), Loaded(ModelSpec("demo"), "demo"), started


__all__ = ["HELLO", "Do", "Liar", "LiarSource", "begun"]
