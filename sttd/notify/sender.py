"""A thread for each receiver: one that hangs, or refuses everything, holds up no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from loguru import logger

from sttd.config import Receiver
from sttd.host.events import Kind, say
from sttd.job import Job
from sttd.notify import ways
from sttd.notify.errors import CutOff, NotTold
from sttd.notify.record import Delivery, Record
from sttd.notify.schema import NoRecord
from sttd.notify.waits import is_over, wait
from sttd.text import sentence
from sttd.units import format_duration

PAUSE = 5.0  # seconds after the notifier's own file could not be read or written
FAR = 600.0  # seconds that it sleeps at most: the clock may be set meanwhile


class Sender(threading.Thread):
    """Delivers to one receiver all that the record has for it, until `end` is called.

    Args:
        receiver: whom to deliver to.
        record: of the notices.
        halt: a file descriptor that is readable once the notifier is to end.
    """

    def __init__(self, receiver: Receiver, record: Record, halt: int) -> None:
        super().__init__(name=f"tells {receiver.name}", daemon=True)
        self.receiver = receiver
        self._record, self._halt = record, halt
        self._who = receiver.name
        self._news = threading.Condition()
        self._is_new = self._is_over = False
        self._failures = 0  # in a row
        self._pause_ends = 0.0  # monotonic

    def wake(self) -> None:
        """There may be something to tell."""
        with self._news:
            self._is_new = True
            self._news.notify()

    def end(self) -> None:
        with self._news:
            self._is_over = True
            self._news.notify()

    def run(self) -> None:
        while not self._is_over:
            try:
                delivery = None if time.monotonic() < self._pause_ends else self._record.next(self._who, time.time())
                if delivery is not None:
                    self._try(delivery)
                    continue
                pause = self._until_next()
            except NoRecord as error:
                logger.error("{}: {}; it is tried again", self._who, error)
                pause = PAUSE
            self._sleep(pause)

    def _until_next(self) -> float:
        """Seconds until there may be something to do."""
        paused = self._pause_ends - time.monotonic()
        if paused > 0:
            return paused
        due = self._record.next_due(self._who)
        return FAR if due is None else min(FAR, max(0.01, due - time.time()))

    def _sleep(self, seconds: float) -> None:
        with self._news:
            if not self._is_new and not self._is_over:
                self._news.wait(seconds)
            # after a failure `run` sleeps on until the pause ends, whatever is new
            self._is_new = False

    def _try(self, delivery: Delivery) -> None:
        if delivery.was_begun:
            said = "a try was cut off, and whether it came is not known: it is told again, with the same id"
            say(
                Kind.NOTICE_FAILED,
                f"{self._who}: {_about(delivery)}: {said}",
                _job(delivery),
                notice=delivery.identity,
            )
        self._record.begin(delivery, self._who)
        try:
            printed = ways.tell(self.receiver, delivery.notice, delivery.identity, self._halt)
        except CutOff:
            self._record.put_back(delivery, self._who)
        except NotTold as error:
            self._failed(delivery, error)
        else:
            self._told(delivery, printed)

    def _told(self, delivery: Delivery, printed: str) -> None:
        self._failures, self._pause_ends = 0, 0.0
        self._note(lambda: self._record.end(delivery, self._who, time.time()))
        words = f"; it said: {sentence(printed)}" if printed else ""
        say(
            Kind.NOTICE_TOLD,
            f"{self._who} was told: {_about(delivery)}{words}",
            _job(delivery),
            notice=delivery.identity,
        )

    def _failed(self, delivery: Delivery, error: NotTold) -> None:
        self._failures += 1
        pause, now = wait(self._failures), time.time()
        self._pause_ends = time.monotonic() + pause
        tries, age = delivery.tries + 1, max(0.0, now - delivery.since)
        words = f"{error}; it said: {sentence(error.said)}" if error.said else str(error)
        if is_over(age, tries, self.receiver.give_up):
            self._note(lambda: self._record.end(delivery, self._who, now, str(error)))
            lasted = format_duration(round(age))
            dropped = self._record.counts()["dropped"]
            text = f"{self._who}: {_about(delivery)}: dropped after {tries} tries in {lasted}: {words}; {dropped} dropped in all"
            say(Kind.NOTICE_DROPPED, text, _job(delivery), notice=delivery.identity)
            return
        due = now + wait(tries)
        self._note(lambda: self._record.wait(delivery, self._who, now, due, str(error)))
        again = format_duration(max(pause, wait(tries)))
        say(
            Kind.NOTICE_FAILED,
            f"{self._who}: {_about(delivery)}: {words}; it is tried again in {again}",
            _job(delivery),
            notice=delivery.identity,
        )

    def _note(self, write: Callable[[], None]) -> None:
        """Store the outcome of a try. Nothing else is sent until that succeeds: the same notice would be sent again and again."""
        while not self._is_over:
            try:
                write()
            except NoRecord as error:
                logger.error("{}: {}; it is tried again", self._who, error)
                self._sleep(PAUSE)
            else:
                return


def _about(delivery: Delivery) -> str:
    notice = delivery.notice
    return notice.event if notice.job is None else f"job {notice.job} {notice.event}"


def _job(delivery: Delivery) -> Job | None:
    """For the log: the journal finds the notices of a job by its number."""
    notice = delivery.notice
    return None if notice.job is None else Job(notice.job, notice.source or "", 0, 0)
