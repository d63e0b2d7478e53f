"""The mailbox of the inbox's thread: others put in events, questions and orders, and so wake it up. It is bounded."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sttd.inbox.news import News

LIMIT = 20_000  # files with news at a time; beyond that a walk through the whole inbox is cheaper than the list


@dataclass(frozen=True, slots=True)
class Times:
    """The times of section `watch`, in seconds; they may change while the inbox is watched."""

    settle: float
    settle_closed: float
    patience: float
    rescan_interval: float


@dataclass(slots=True)
class Mail:
    """All that came since it was last taken."""

    news: dict[str, News] = field(default_factory=dict)  # by path relative to the inbox
    rescan: bool = False  # events were lost, or whole folders moved
    lost: bool = False  # events were lost, perhaps one that said that a writer closed its file
    overflown: bool = False  # they were lost because the kernel's queue overflowed
    expected: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    adopt: str | None = None  # the mark of the strange folder that is the inbox now
    times: Times | None = None  # new times
    kicks: int = 0  # how often a walk was asked for since the start
    stop: bool = False


class Mailbox:
    """Filled by any thread, emptied by one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._mail = Mail()
        self._fresh = False
        self._busy = True  # False only while the reader waits in `take`

    @property
    def is_reader_busy(self) -> bool:
        """Whether its reader is at work, not waiting."""
        return self._busy

    def is_answered(self, kicks: int) -> bool:
        """Whether the mailbox is empty, the reader waits, and there was no kick after number `kicks`."""
        with self._changed:
            return not self._fresh and not self._busy and kicks >= self._mail.kicks

    def put(self, rel: str, news: News) -> None:
        with self._wake():
            if rel in self._mail.news or len(self._mail.news) < LIMIT:
                self._mail.news[rel] = news
            else:
                self._mail.news.clear()
                self._mail.lost = self._mail.rescan = True

    def rescan(self) -> None:
        with self._wake():
            self._mail.rescan = True

    def overflow(self) -> None:
        with self._wake():
            self._mail.overflown = self._mail.lost = self._mail.rescan = True

    def kick(self) -> None:
        with self._wake():
            self._mail.kicks += 1

    def expect(self, rels: Iterable[str]) -> None:
        with self._wake():
            self._mail.expected.extend(rels)

    def forget(self, rel: str) -> None:
        with self._wake():
            self._mail.forgotten.append(rel)

    def adopt(self, mark: str) -> None:
        with self._wake():
            self._mail.adopt = mark

    def configure(self, times: Times) -> None:
        with self._wake():
            self._mail.times = times

    def stop(self) -> None:
        with self._wake():
            self._mail.stop = True

    def take(self, timeout: float) -> Mail:
        """All that came; waits for it up to `timeout` seconds, which may be infinity."""
        with self._changed:
            self._busy = False
            self._changed.wait_for(lambda: self._fresh, min(max(0.0, timeout), threading.TIMEOUT_MAX))
            self._busy = True
            mail, self._mail = self._mail, Mail(kicks=self._mail.kicks, stop=self._mail.stop)
            self._fresh = mail.stop
            return mail

    @contextlib.contextmanager
    def _wake(self) -> Iterator[None]:
        """Held while something is put in; its reader is woken."""
        with self._changed:
            yield
            self._fresh = True
            self._changed.notify_all()
