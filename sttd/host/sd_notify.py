"""Messages to systemd: READY, STATUS, WATCHDOG, RELOADING, STOPPING (sd_notify(3)). Outside systemd nothing happens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

import sdnotify
from loguru import logger

_MOST_BYTES = 4000  # systemd drops a datagram over 4096 bytes (NOTIFY_BUFFER_MAX); the field's name needs some
_SEND_TIMEOUT = 1.0  # seconds; a manager that hangs must not hang the daemon


class Notifier:
    """The connection to systemd, through `NOTIFY_SOCKET`.

    Args:
        environ: where NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are looked up.
        clock: seconds, monotonic.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._channel = _connect(environ)
        self.watchdog_interval = watchdog_interval(environ, os.getpid())
        self._fed = float("-inf")
        self._beat: Callable[[], None] = lambda: None

    def beat_with(self, beat: Callable[[], None]) -> None:
        """Call `beat` at each sign of life, for observers other than systemd."""
        self._beat = beat

    def ready(self) -> None:
        """The service is up, which is a sign of life; also the end of a reload."""
        self._beat()
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`; new lines in it become spaces, what is too long is cut."""
        line = " ".join(text.splitlines())
        self._send("STATUS=" + line.encode("utf-8", "backslashreplace")[:_MOST_BYTES].decode("utf-8", "ignore"))

    def watchdog(self) -> None:
        """To be called in each round of the loop. The message is sent only as often as systemd needs it."""
        self._beat()
        if self.watchdog_interval is None:
            return
        now = self._clock()
        if now - self._fed >= self.watchdog_interval / 4:
            self._fed = now
            self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """A reload began; `ready` ends it. The time stamp is what Type=notify-reload needs."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def extend_timeout(self, seconds: float) -> None:
        """Stopping, or starting, goes on: systemd is to wait at least `seconds` from now."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def _send(self, state: str) -> None:
        if self._channel is None:
            return
        try:
            # sdnotify encodes Latin-1: hand it the UTF-8 bytes as the characters that it turns into those bytes
            self._channel.notify(state.encode("utf-8").decode("latin-1"))
        except OSError as error:
            logger.debug("systemd could not be told {}: {}", state.partition("=")[0], error)


def _connect(environ: Mapping[str, str]) -> sdnotify.SystemdNotifier | None:
    if not environ.get("NOTIFY_SOCKET"):
        return None
    try:
        channel = sdnotify.SystemdNotifier(debug=True)  # debug: it raises instead of swallowing
    except OSError as error:
        logger.warning("systemd cannot be told anything: NOTIFY_SOCKET: {}", error)
        return None
    channel.socket.settimeout(_SEND_TIMEOUT)
    return channel


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds within which systemd wants a WATCHDOG=1 of process `pid`; None: it wants none (sd_watchdog_enabled(3))."""
    wanted_of = environ.get("WATCHDOG_PID")
    if wanted_of is not None and wanted_of != str(pid):
        return None
    try:
        microseconds = int(environ.get("WATCHDOG_USEC", "0"))
    except ValueError:
        logger.warning("WATCHDOG_USEC={!r} is no number; no watchdog", environ["WATCHDOG_USEC"])
        return None
    return microseconds / 1e6 if microseconds > 0 else None
