"""Writes to the journal: records with fields, in journald's own protocol, and a fallback while journald is away.

The content of a field is sent with its length, so that no name can end a field and begin another. Nothing is held up by
journald: while its queue is full, it restarts or its socket is missing, a record goes to standard error as a line with its
priority. If that would block too, the record is lost, and a later line says how many were.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logging_journald import JournaldTransport

from sttd.host.events import Facts, Value

if TYPE_CHECKING:
    from loguru import Message, Record

SOCKET = Path("/run/systemd/journal/socket")
IDENTIFIER = "sttd"  # journalctl -t sttd
PATIENCE = (
    0.2  # seconds that the first record waits for room in the queue; those after it do not, until there is room again
)
# the journal's numbers, see sd-daemon(3)
PRIORITIES = {"TRACE": 7, "DEBUG": 7, "INFO": 6, "SUCCESS": 5, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}


def priority(record: Record) -> int:
    return PRIORITIES.get(record["level"].name, 6)


def fields(record: Record, message: str) -> dict[str, bytes | float]:
    """The fields of a record (systemd.journal-fields(7)); `message` is its text, on one line."""
    found: dict[str, Value] = {
        "MESSAGE": message,
        "PRIORITY": priority(record),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "CODE_FILE": record["file"].path,
        "CODE_LINE": record["line"],
        "CODE_FUNC": record["function"],
    }
    facts = record["extra"].get("facts")
    if isinstance(facts, Facts):
        found |= {"MESSAGE_ID": facts.kind.message_id, "STTD_EVENT": facts.kind.word}
        found |= {f"STTD_{name.upper()}": value for name, value in facts.fields.items()}
    return {name: _encoded(value) for name, value in found.items() if value is not None}


def _encoded(value: str | bytes | float) -> bytes | float:
    """Texts as bytes: the library then sends their length in front, and no new line in them can begin a field."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace")
    if isinstance(value, float):
        return int(value) if value.is_integer() else round(value, 3)
    return value


def _connected(path: Path) -> Any:
    transport = JournaldTransport(path)
    # the library's own reconnect would leave a socket without a timeout, or a closed one if journald is still away
    transport.RECONNECT_ERRNOS = frozenset()
    return transport


class Journal:
    """The log's sink if standard error leads to the journal.

    Args:
        fd: standard error.
        text: makes the message of a record, on one line.
        path: journald's socket.
    """

    def __init__(self, fd: int, text: Callable[[Record], str], path: Path = SOCKET) -> None:
        self._text = text
        self._path = path
        self._stream = socket.socket(fileno=os.dup(fd))
        self._transport: Any = None
        self._full = False  # whether journald's queue was full at the last try
        self._lost = 0
        self._torn = False  # whether only the beginning of the latest line was written to the stream

    def write(self, message: Message) -> None:
        record = message.record
        said = self._text(record)
        if self._lost:
            said += f" ({self._lost} earlier log lines could not be written)"
        if self._send(fields(record, said)) or self._write(f"<{priority(record)}>{said}\n"):
            self._lost = 0
        else:
            self._lost += 1

    def stop(self) -> None:
        """Called by loguru when the sink is removed."""
        self._stream.close()
        self._disconnect()

    def _send(self, record: dict[str, bytes | float]) -> bool:
        """Send `record` to journald; if the connection is dead, once more over a new one."""
        for _ in range(2):
            try:
                transport = self._transport = self._transport or _connected(self._path)
                # connected, so that a wait for room ends when there is room
                transport.socket.settimeout(0.0 if self._full else PATIENCE)
                transport.send(record.items())
            except (BlockingIOError, TimeoutError):  # the queue is full: journald is stopped, or slow
                self._full = True
                return False
            except OSError:  # no such socket, nobody listens, or no memory for a large record
                self._disconnect()
            else:
                self._full = False
                return True
        return False

    def _disconnect(self) -> None:
        if self._transport is not None:
            self._transport.socket.close()
            self._transport = None

    def _write(self, line: str) -> bool:
        """Write a line to the stream without blocking: journald reads the stream, too."""
        data = line.encode("utf-8", "backslashreplace")
        if self._torn:
            data = b"\n" + data
        try:
            sent = self._stream.send(data, socket.MSG_DONTWAIT)
        except OSError:  # full, or nobody reads
            return False
        self._torn = sent < len(data)
        return not self._torn
