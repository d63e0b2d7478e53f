"""What a command prints on its standard error, as lines of the log, up to a limit for each minute."""

from __future__ import annotations

from collections.abc import Callable

from sttd.host.events import Kind, say
from sttd.text import printable

_LONGEST = 400  # bytes of a line; the rest is left out
_MOST = 60  # lines in a minute: the stacks of a worker's threads are one or two dozen
_SPAN = 60.0  # seconds


class Stderr:
    """`last` is the last line that was not blank; the message about the command's end quotes it."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._name = name
        self._clock = clock
        self._line = bytearray()
        self._since = clock()
        self._count = 0
        self._left_out = 0
        self.last = ""

    def feed(self, data: bytes) -> None:
        """Log the lines that are whole now."""
        first, *others = data.split(b"\n")
        self._add(first)
        for each in others:
            self._end_line()
            self._add(each)

    def close(self) -> None:
        """Log a last line that has no end, and how many lines were left out."""
        self._end_line()
        self._tell_left_out()

    def _add(self, data: bytes) -> None:
        self._line += data[: _LONGEST - len(self._line)]

    def _end_line(self) -> None:
        text = bytes(self._line).decode("utf-8", "replace").strip()
        self._line.clear()
        if not text:
            return
        self.last = printable(text)
        now = self._clock()
        if now - self._since >= _SPAN:
            self._tell_left_out()
            self._since, self._count = now, 0
        self._count += 1
        if self._count > _MOST:
            self._left_out += 1
        else:
            say(Kind.REMOTE_SAID, f"{self._name}: {self.last}", worker=self._name)

    def _tell_left_out(self) -> None:
        if self._left_out:
            say(Kind.REMOTE_SAID, f"{self._name}: {self._left_out} more lines are left out", worker=self._name)
            self._left_out = 0
