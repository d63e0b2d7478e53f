"""A head as small as can be: it starts a command, and speaks to the far side behind it with the words of the wire."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from sttd import __version__
from sttd.part import ENDS, ModelSpec, Options, PartSpec, Started
from sttd.pool.blocks import answer, ends_of
from sttd.pool.wire import MARK, PROTOCOL, Ask, Beat, Decoder, Do, Hello, Ready, Setup, encode
from tests.harness import wait_for
from tests.remote.tables import WORKER


def part_of(path: Path | str, part_id: str = "1.0", **changes: Any) -> PartSpec:
    """One temperature: those above 0 are random, and texts are compared word by word here."""
    seen = os.stat(path)
    options = Options(batch_size=1, beam_size=1, temperatures=(0.0,))
    model = ModelSpec("demo", cpu_threads=1)
    ends = ends_of(str(path), seen.st_size)
    spec = PartSpec(part_id, 1, str(path), seen.st_size, seen.st_mtime_ns, model, options, ends=ends)
    return dataclasses.replace(spec, **changes)


class Head:
    """Messages are kept in `heard`, in their order; Ask is answered by itself."""

    def __init__(self, command: Sequence[str] = WORKER, **setup: Any) -> None:
        self.heard: list[Any] = []
        self.beats = 0
        self.asked: list[Ask] = []
        self.parts: dict[tuple[str, int], PartSpec] = {}
        self.answer: Callable[[Ask, PartSpec], object] = answer
        self.before = b""  # what came before the mark
        self.errors: list[str] = []
        self._setup = {"silence": 300.0, "beat": 0.2, "cpu_threads": 1, "model": "demo"} | setup
        self._writing = threading.Lock()
        self.closed = threading.Event()  # the far side's end of the line
        self.silent = threading.Event()  # ours: no more beats
        self.deaf = threading.Event()  # we read nothing
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            start_new_session=True,
        )  # fmt: skip
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._read, self._listen, self._beats)]
        for each in self._threads:
            each.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.silent.set()
        self.process.kill()
        self.process.wait()
        for each in self._threads:
            each.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def send(self, order: object) -> None:
        data = memoryview(encode(order))
        with self._writing:
            while data:
                data = data[self.process.stdin.write(data) :]

    def greet(self, **changes: Any) -> dict[str, Any]:
        """Hello, and the answer to it; returns its facts."""
        (hello,) = self.wait(Hello)
        self.send(Setup(**{"version": __version__, "protocol": PROTOCOL} | self._setup | changes))
        return hello.facts

    def ready(self) -> dict[str, Any]:
        facts = self.greet()
        self.wait(Ready)
        return facts

    def do(self, part: PartSpec) -> None:
        self.parts[part.part_id, part.attempt] = part
        self.send(Do(part))

    def run(self, part: PartSpec) -> Any:
        """One part; its end."""
        self.do(part)
        return self.end(part)

    def end(self, part: PartSpec) -> Any:
        return self.until(lambda: next(iter(self.of(part, ENDS)), None))

    def wait(self, kind: Any, count: int = 1) -> list[Any]:
        """The messages of a kind, once there are so many."""

        def found() -> list[Any]:
            came = [each for each in list(self.heard) if isinstance(each, kind)]
            return came if len(came) >= count else []

        return self.until(found)

    def until(self, found: Callable[[], Any]) -> Any:
        """What `found` gives, once it does; not longer than the far side lives."""

        def looked() -> Any:
            is_over = self.closed.is_set()
            value = found()
            assert value or not is_over, f"the line is closed: {self.heard[-3:]} {''.join(self.errors[-20:])}"
            return value

        return wait_for(looked, "a word of the far side")

    def of(self, part: PartSpec, kind: Any = object) -> list[Any]:
        key = (part.part_id, part.attempt)
        return [
            each for each in list(self.heard)
            if isinstance(each, kind) and (getattr(each, "part_id", None), getattr(each, "attempt", None)) == key
        ]  # fmt: skip

    def words(self, part: PartSpec) -> str:
        chunks = [chunk for each in self.of(part) for chunk in getattr(each, "chunks", ())]
        return " ".join(segment.text for chunk in chunks for segment in chunk.segments).strip()

    def worker(self) -> psutil.Process:
        """The process that works, where it is on this machine."""
        return psutil.Process(self.wait(Started)[-1].pid)

    def _read(self) -> None:
        decoder = None
        while data := self.process.stdout.read(65536):
            if decoder is None:
                self.before += data
                if MARK not in self.before:
                    continue
                self.before, data = self.before.split(MARK, 1)
                decoder = Decoder()
            for message in decoder.feed(data):
                if isinstance(message, Ask):
                    self.asked.append(message)
                    self.send(self.answer(message, self.parts[message.part_id, message.attempt]))
                elif isinstance(message, Beat):
                    self.beats += 1
                else:
                    self.heard.append(message)
            if self.deaf.is_set():
                self.process.wait()
        self.closed.set()

    def _listen(self) -> None:
        for line in self.process.stderr:
            self.errors.append(line.decode(errors="replace"))

    def _beats(self) -> None:
        while not self.silent.wait(0.2):
            try:
                self.send(Beat())
            except (OSError, ValueError):  # the far side is gone, or the pipe was closed
                return
