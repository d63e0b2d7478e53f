"""One worker behind a command: its line, greeted, kept alive, and watched for silence."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sttd.host.events import Kind, say
from sttd.part import Failed
from sttd.pool.command.carrier import Carrier
from sttd.pool.command.feeder import Feeder, Way
from sttd.pool.command.greeting import Messages, NoWorker, check
from sttd.pool.command.pipes import Pipes
from sttd.pool.command.stderr import Stderr
from sttd.pool.death import Death
from sttd.pool.wire import Ask, Beat, Die, FarOrder, Forget, Hello, Order, Ready, Refused, Setup, WireError, encode
from sttd.pool.worker import Ears

_LONGEST = 1000  # characters of a far worker's reason for Refused
_CLOSING = 1.0  # seconds between the command's end and the end of its output, whichever is first


@dataclass(frozen=True, slots=True)
class Terms:
    """How a far worker is reached, and its limits in seconds."""

    carry: Callable[[], Carrier]  # starts what carries the line; raises OSError where it cannot be started
    setup: Setup
    start_timeout: float  # until the worker is ready; inf: a cluster may let it queue for days
    silence: float  # without a byte, once it is ready


class _Broken(Exception):
    """The line cannot be used any more; the message says why, for a sentence that begins with the worker's name."""


class CommandWorker:
    """See `Worker`. One thread reads the line, a second one the disk, a third one beats. Orders to a lost worker are dropped."""

    pid: int | None = None  # that of the command is of no use: the worker is elsewhere

    def __init__(self, name: str, terms: Terms, ears: Ears, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._terms = terms
        self._ears = ears
        self._clock = clock
        self._carrier: Carrier | None = None
        self._pipes: Pipes | None = None
        self._feeder = Feeder(name, Way(self._send, self._wait_for_room, self._end_part))
        self._ends: queue.SimpleQueue[Failed] = queue.SimpleQueue()  # of parts that could not be sent
        self._messages = Messages()
        self._stderr = Stderr(name, clock)
        self._is_greeted = self._was_ready = False
        self._over = threading.Event()

    def start(self) -> None:
        carrier = self._carrier = self._terms.carry()
        try:
            self._pipes = Pipes(carrier)
        except OSError:
            carrier.kill()
            carrier.wait(is_silent=True)
            carrier.close()
            raise
        try:
            self._feeder.start()
            threading.Thread(target=self._beat, args=(self._pipes,), name=f"{self.name}-beats", daemon=True).start()
            threading.Thread(target=self._run, args=(self._pipes,), name=f"{self.name}-reader", daemon=True).start()
        except RuntimeError as error:  # no more threads
            self._over.set()
            self._feeder.stop()
            self._pipes.reap()
            raise OSError(f"no thread for a worker: {error}") from error

    def send(self, order: Order | Forget) -> bool:
        """Forget is dropped while the line is full: the recording keeps its room there only until another one needs it."""
        if isinstance(order, Forget) and self._pipes is not None and self._pipes.is_full:
            return True
        self._feeder.order(order)
        return True

    def end(self, *, hard: bool) -> None:
        """Hard: the command is killed, and the far side ends when it finds that out."""
        if self._pipes is None:
            return
        if hard:
            self._pipes.kill()
        else:
            self._feeder.order(Die())

    def abandon(self) -> None:
        """Fall silent, so that the far side ends and does not work on alone. The reader's thread still waits for the command."""
        if self._pipes is not None:
            self._pipes.fall_silent()

    def rss(self) -> int:
        return 0

    def _send(self, order: FarOrder) -> None:
        assert self._pipes is not None
        self._pipes.send(encode(order))

    def _wait_for_room(self) -> bool:
        assert self._pipes is not None
        return self._pipes.wait_for_room()

    def _end_part(self, end: Failed) -> None:
        """Called in the feeder's thread; the reader's thread passes the end on."""
        assert self._pipes is not None
        self._ends.put(end)
        self._pipes.wake()

    def _run(self, pipes: Pipes) -> None:
        why = ""
        try:
            self._read(pipes)
        except _Broken as error:
            pipes.fall_silent()
            why = str(error)
        except NoWorker as error:
            why = str(error)
        except WireError as error:
            why = f"it sent {error}"
        finally:
            self._over.set()
            exitcode = pipes.reap()
            self._feeder.stop()
            self._stderr.close()
            self._ears.ended(self._death(exitcode, why))

    def _death(self, exitcode: int | None, why: str) -> Death:
        assert self._carrier is not None
        why = why or self._carrier.words(exitcode, self._stderr.last, self._messages.banner, was_ready=self._was_ready)
        if self._was_ready:
            return Death(exitcode, line=f"the worker on {self.name} is lost: {why}")
        return Death(exitcode, unborn=why)

    def _read(self, pipes: Pipes) -> None:
        """Read until the command has ended or closed its output. Raises _Broken: it was silent for too long."""
        heard = self._clock()
        ends_at = heard + self._terms.start_timeout
        gone_at = float("inf")
        while not (pipes.exited and pipes.messages_closed and pipes.errors_closed):
            now = self._clock()
            messages, errors = pipes.wait(min(ends_at - now, gone_at - now, 3600.0))
            now = self._clock()
            self._stderr.feed(errors)
            self._hear(messages)
            if messages:
                heard = now
            if self._was_ready:
                ends_at = heard + self._terms.silence
            if now >= ends_at:
                raise _Broken(self._silent())
            if (pipes.exited or pipes.messages_closed) and gone_at == float("inf"):
                gone_at = now + _CLOSING
            if now >= gone_at:
                return

    def _silent(self) -> str:
        if self._was_ready:
            return f"nothing was heard of it for {self._terms.silence:g} s"
        return f"no worker answered within {self._terms.start_timeout:g} s"

    def _beat(self, pipes: Pipes) -> None:
        """In a thread of its own: the reader's waits while messages come faster than the daemon takes them (daemon/inputs.py)."""
        while not self._over.wait(self._terms.setup.beat):
            if self._was_ready and not pipes.is_blocked:
                pipes.send(encode(Beat()))

    def _hear(self, data: bytes) -> None:
        for message in self._messages.feed(data):
            self._take(message)
        while not self._ends.empty():
            self._ears.heard(self._ends.get())

    def _take(self, message: Any) -> None:
        match message:
            case Hello(facts) if not self._is_greeted:
                check(facts)
                self._is_greeted = True
                self._send(self._terms.setup)
            case Refused(why):
                raise NoWorker(why[:_LONGEST])
            case Ready() if self._is_greeted and not self._was_ready:
                self._was_ready = True
                if self._messages.banner:
                    text = f"{self.name}: before its worker it printed: {self._messages.banner}"
                    say(Kind.REMOTE_SAID, text, level="DEBUG", worker=self.name)
                self._ears.ready()
            case Beat():
                pass
            case Ask():
                self._feeder.ask(message)
                self._ears.heard(message)
            case _ if self._was_ready:
                self._ears.heard(message)
            case _:
                raise WireError(f"a {type(message).__name__} before it was ready")
