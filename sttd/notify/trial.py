"""`sttd notify test`: sends a sample to all receivers at the same time, whatever events they want."""

from __future__ import annotations

import os
import queue
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sttd.config import Receiver
from sttd.notify import ways
from sttd.notify.errors import CutOff, NotTold
from sttd.notify.notice import Notice

MORE = 10.0  # seconds beyond a receiver's own limit: to look up a name, and to kill a process that ignores SIGTERM
PATIENCE = 5.0  # seconds that we wait for commands to be ended


class Outcome(NamedTuple):
    receiver: Receiver
    problem: str | None  # None: it was told
    seconds: float
    said: str  # by a command


def trial(receivers: Sequence[Receiver], now: float) -> Iterator[Outcome]:
    """The outcome for each receiver, as they finish. `now`: UTC seconds."""
    word = f"test-{secrets.token_hex(4)}"
    notice = Notice(word, "test", now, "this is a test of `sttd notify`: nothing has happened")
    ended: queue.Queue[Outcome] = queue.Queue()
    halt = os.eventfd(0, os.EFD_CLOEXEC)
    begun, over = 0, threading.Semaphore(0)  # a Ctrl-C may come before a thread is known to have started

    def attempt(receiver: Receiver) -> None:
        try:
            _try(receiver, notice, halt, ended)
        finally:
            over.release()

    try:
        for each in receivers:
            begun += 1
            threading.Thread(target=attempt, args=(each,), daemon=True).start()
        yield from _outcomes(receivers, ended)
    finally:  # Ctrl-C does not reach commands: each has a process group of its own
        os.eventfd_write(halt, 1)
        end = time.monotonic() + PATIENCE
        for _ in range(begun):
            over.acquire(timeout=max(0.0, end - time.monotonic()))


def _outcomes(receivers: Sequence[Receiver], ended: queue.Queue[Outcome]) -> Iterator[Outcome]:
    waiting = {receiver.name: receiver for receiver in receivers}
    end = time.monotonic() + max(receiver.timeout for receiver in receivers) + MORE
    while waiting:
        try:
            outcome = ended.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            yield from (Outcome(each, "there is no end to it", each.timeout + MORE, "") for each in waiting.values())
            return
        del waiting[outcome.receiver.name]
        yield outcome


def _try(receiver: Receiver, notice: Notice, halt: int, ended: queue.Queue[Outcome]) -> None:
    begun = time.monotonic()
    problem, said = None, ""
    try:
        said = ways.tell(receiver, notice, f"sttd-{notice.word}", halt)
    except NotTold as error:
        problem, said = str(error), error.said
    except CutOff:
        return
    ended.put(Outcome(receiver, problem, time.monotonic() - begun, said))
