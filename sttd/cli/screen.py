"""Whether output goes to a terminal, and how it is written. It decides between bars and plain lines, before rich is imported."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
from typing import Protocol, TextIO


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether `stream`, standard output by default, is a screen that can do more than print lines."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"


def is_pipe(stream: TextIO) -> bool:
    return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)


def write(stream: TextIO, text: str) -> None:
    """Write `text` past the stream's buffer: a thread that is held up in it holds no lock that the end of the process needs.

    What the stream's encoding has no letters for is written as escapes.

    Raises:
        OSError: nobody reads any more, or the disk is full.
    """
    data = text.encode(stream.encoding, "backslashreplace")
    while data:
        try:
            data = data[os.write(stream.fileno(), data) :]
        except BlockingIOError:  # another program has set the terminal, or the pipe, to no waiting
            select.select([], [stream.fileno()], [])


def write_if_read(stream: TextIO, text: str) -> None:
    """The same for remarks and bars: as with the log, what nobody reads stops nothing."""
    with contextlib.suppress(OSError):
        write(stream, text)


class Screen(Protocol):
    """Where text and remarks go. All is called in one thread."""

    def write(self, text: str) -> None:
        """Text to standard output."""

    def note(self, text: str, level: str = "") -> None:
        """A line to standard error; `level`: as a log has it."""

    def draw(self) -> None:
        """Draw the bars again."""

    def look(self) -> None:
        """Something has happened: look again before the next drawing."""

    def close(self) -> None:
        """Take the bars away."""


class Plain:
    """Nothing moves: text to standard output, lines to standard error."""

    def write(self, text: str) -> None:
        write(sys.stdout, text)

    def note(self, text: str, level: str = "") -> None:  # noqa: ARG002 - see Screen
        write_if_read(sys.stderr, f"{text}\n")

    def draw(self) -> None: ...

    def look(self) -> None: ...

    def close(self) -> None: ...
