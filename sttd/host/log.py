"""The log: one sink on standard error, one line for each event, for a terminal, the journal, or a file.

A worker never logs: it sends notices, and the parent logs them. So no lock and no queue is shared with a process
that may be killed (loguru's `enqueue=True` would). A log that cannot be written stops nothing.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from sttd.host import journal
from sttd.host.stream import is_journal
from sttd.text import printable

if TYPE_CHECKING:
    from loguru import Message, Record

_COLOURS = {"TRACE": "2", "DEBUG": "2", "SUCCESS": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
# loguru's names; any other level of a library is logged by its number
_LEVELS = {number: logging.getLevelName(number) for number in (10, 20, 30, 40, 50)}
# Characters that could begin a new line, control a terminal, or not be encoded. Names were already escaped by
# `text.printable`, so a backslash is left as it is: theirs would be doubled.
_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def setup(
    level: str, fd: int | None = None, environ: Mapping[str, str] = os.environ, native: Path = journal.SOCKET
) -> None:
    """Send every record of at least `level` to `fd` (standard error), and nowhere else.

    On a terminal: time, level and text in colours. Where `fd` is the journal's: to journald at `native`, with fields. Else
    plain lines with time and level.
    """
    fd = sys.stderr.fileno() if fd is None else fd
    logger.remove()
    sink = journal.Journal(fd, text, native) if is_journal(fd, environ) else Sink(fd, layout_for(fd, environ))
    # the sink makes its own lines; no variables' values in tracebacks: they may be secrets
    logger.add(sink, level=level, format=_nothing, enqueue=False, backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[_Forward()], level=logging.WARNING, force=True)


def through(level: str, show: Callable[[str, str], None]) -> None:
    """Pass level and text of every record of at least `level` to `show`: for a command that draws on the terminal itself."""
    logger.remove()
    sink = functools.partial(_show, show)
    logger.add(sink, level=level, format=_nothing, enqueue=False, backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[_Forward()], level=logging.WARNING, force=True)


def reword(change: Callable[[str], str]) -> None:
    """Pass the text of each record through `change`: for a command that has options where the messages name keys."""

    def patch(record: Record) -> None:
        record["message"] = change(record["message"])

    logger.configure(patcher=patch)


def _show(show: Callable[[str, str], None], message: Message) -> None:
    show(message.record["level"].name, text(message.record))


class _Forward(logging.Handler):
    """Makes our lines of what libraries log through `logging`, which would go to standard error as it is."""

    def emit(self, record: logging.LogRecord) -> None:
        # watchdog logs errors when it is stopped; sttd itself reports those that matter
        level = "DEBUG" if record.name.startswith("watchdog") else _LEVELS.get(record.levelno, record.levelno)
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):  # arguments that do not fit, which must not end a library's thread
            text = f"{record.msg} {record.args}"
        logger.log(level, "{}: {}", record.name, printable(text))


def _nothing(_record: Record) -> str:
    return ""


def layout_for(fd: int, environ: Mapping[str, str]) -> Callable[[Record], str]:
    """The layout of a line: in colour if `fd` is a terminal that wants it, else plain."""
    if os.isatty(fd) and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb":
        return colour_line
    return plain_line


def plain_line(record: Record) -> str:
    # not loguru's own time format, which takes as long as the rest of the line: many files at once mean many lines
    return f"{record['time'].isoformat(' ')[:19]} {record['level'].name:<8} {text(record)}"


def colour_line(record: Record) -> str:
    line = f"{record['time']:HH:mm:ss} {record['level'].name:<8} {text(record)}"
    colour = _COLOURS.get(record["level"].name)
    return f"\x1b[{colour}m{line}\x1b[0m" if colour else line


def text(record: Record) -> str:
    """The message, with the traceback where there is one, as one line."""
    message = record["message"]
    error = record["exception"]
    if error is not None and error.type is not None:
        lines = "".join(traceback.format_exception(error.type, error.value, error.traceback))
        message = f"{message}: {lines.rstrip()}"
    return one_line(message)


def one_line(message: str) -> str:
    """Escape all that could forge a second line or control a terminal: a new line becomes a backslash and an n."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), message)


class Sink:
    """Writes each record with one write(2) where the kernel lets it, so that lines of several processes do not mix."""

    def __init__(self, fd: int, layout: Callable[[Record], str]) -> None:
        self._fd = fd
        self._layout = layout
        self._lost = 0

    def __call__(self, message: Message) -> None:
        line = self._layout(message.record)
        if self._lost:
            line += f" ({self._lost} earlier log lines could not be written)"
        try:
            _write(self._fd, f"{line}\n".encode("utf-8", "backslashreplace"))
            self._lost = 0
        except OSError:  # nobody reads (EPIPE), disk full (ENOSPC): the next line that can be written says so
            self._lost += 1


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
