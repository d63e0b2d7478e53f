"""`sttd notify`: looks every two seconds and wakes the receivers' threads if anything is new, until SIGTERM, SIGHUP or Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from loguru import logger

from sttd.config import Config
from sttd.errors import INTERRUPTED, ConfigError, LedgerError, NotConfigured
from sttd.fs.lock import Lock
from sttd.host import log
from sttd.host.sd_notify import Notifier
from sttd.notify import place, schema
from sttd.notify.look import Look, Views
from sttd.notify.record import Record
from sttd.notify.schema import NoRecord
from sttd.notify.sender import Sender

INTERVAL = 2.0  # seconds between two looks
COUNTED = 30.0  # seconds between two status lines for systemd
_PATIENCE = 5.0  # seconds for tries that are under way when it ends
_DAY = 86400.0


def run(config: Config, views: Views) -> int:
    """Run until a signal; returns the exit code.

    Raises:
        ConfigError: no receiver is configured.
        NotConfigured: the folder of the notifier cannot be made or written.
        AlreadyRunning: another notifier has it.
        NoRecord: its file cannot be opened.
    """
    if not config.receivers:
        raise ConfigError(["there is no [[notify]] table in the configuration: write one for each who is to be told"])
    log.setup(config.log.level)
    with _signals() as halt, _folder(config.paths.state) as own:
        record = Record(own)
        try:
            return _Service(config, record, views, halt).run()
        finally:
            record.close()


@contextlib.contextmanager
def _folder(state: Path) -> Iterator[Path]:
    """The folder of the notifier, locked."""
    own = place.folder(state)
    try:
        own.mkdir(mode=0o750, exist_ok=True)
        lock = Lock(own / schema.LOCK, "the notifier's folder")
    except OSError as error:
        raise NotConfigured(f"{own}: {error.strerror}: make the folder for the user of `sttd notify`") from None
    try:
        yield own
    finally:
        lock.release()


class _Halt:
    """A signal handler whose file descriptor becomes readable at the first signal, and stays so."""

    def __init__(self) -> None:
        self.handle = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.number = 0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.number = number
        os.eventfd_write(self.handle, 1)


@contextlib.contextmanager
def _signals() -> Iterator[_Halt]:
    halt = _Halt()
    before = {number: signal.signal(number, halt) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield halt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(halt.handle)


class _Service:
    def __init__(self, config: Config, record: Record, views: Views, halt: _Halt) -> None:
        self._config, self._record, self._halt = config, record, halt
        self._look = Look(config, record, views)
        self._senders = [Sender(receiver, record, halt.handle) for receiver in config.receivers]
        self._systemd = Notifier()
        self._trouble = ""
        self._counted = self._forgotten = float("-inf")

    def run(self) -> int:
        for name, count in self._record.drop_strangers(self._config.receivers, time.time()).items():
            logger.warning("{} is not in the configuration any more: {} notices for it are dropped", name, count)
        for sender in self._senders:
            sender.start()
        told = ", ".join(f"{each.name} ({each.address})" for each in self._config.receivers)
        logger.info("tells {}", told)
        self._systemd.ready()
        while not self._halt.number:
            self._round()
            if not all(sender.is_alive() for sender in self._senders):
                logger.critical("a thread has ended by a fault in sttd: systemd starts the notifier again")
                return 1
            if self._record.is_damaged:
                logger.critical("the notifier's file is damaged: the next start sets it aside")
                return 1
            select.select([self._halt.handle], [], [], INTERVAL)
        self._systemd.stopping()
        self._end()
        return INTERRUPTED if self._halt.number == signal.SIGINT else 0

    def _round(self) -> None:
        """One look. If it fails, the next round looks again: nothing is lost by that."""
        try:
            if self._look(time.time()):
                self._wake()
            self._keep_house(time.monotonic())
        except (LedgerError, NoRecord, OSError) as error:
            if str(error) != self._trouble:
                logger.error("{}; it is tried again", error)
            self._trouble = str(error)
            self._wake()  # some of what the look found may be stored
        else:
            if self._trouble:
                logger.info("over: {}", self._trouble)
            self._trouble = ""
        self._systemd.watchdog()

    def _wake(self) -> None:
        for sender in self._senders:
            sender.wake()

    def _keep_house(self, now: float) -> None:
        if now - self._counted > COUNTED:
            counts = self._record.counts()
            self._systemd.status(", ".join(f"{count} {state}" for state, count in counts.items()))
            self._counted = now
        if now - self._forgotten > _DAY:
            self._record.prune(time.time())
            self._forgotten = now

    def _end(self) -> None:
        """Commands are ended. A webhook has some seconds left; if it needs more it is sent again later, with the same id."""
        for sender in self._senders:
            sender.end()
        end = time.monotonic() + _PATIENCE
        for sender in self._senders:
            sender.join(max(0.0, end - time.monotonic()))
