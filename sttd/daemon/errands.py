"""File work off the loop: a dead network mount may hold a thread here, never the daemon.

Every errand may be dropped before it began and killed in the middle: what it was to do follows from the ledger's rows.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from loguru import logger

from sttd.errors import LedgerError, SttdError


class Fault(Exception):
    """A fault in sttd itself, met in an errand; the log has its trace."""


Then = Callable[[Any], None]
Failed = Callable[[OSError | SttdError], None]


@dataclass(slots=True)
class Finished:
    """An errand is back. `then` is called on the loop with its result, or `failed` with its error."""

    errands: Errands  # where it was posted
    errand: Errand
    result: Any
    error: OSError | SttdError | Fault | None
    is_settled: bool = False

    def settle(self) -> None:
        """On the loop: hand the outcome over. It is called again where the ledger could not be written.

        Raises:
            LedgerError, OSError: the outcome is to be handed over once more.
            Fault: the errand met one.
            Exception: a fault in sttd, raised by `then` or `failed`.
        """
        try:
            self._hand_over()
        except (LedgerError, OSError):
            raise
        except Exception:
            self._count()
            raise
        self._count()

    def _hand_over(self) -> None:
        if isinstance(self.error, Fault):
            raise self.error
        if self.error is None:
            self.errand.then(self.result)
        else:
            self.errand.failed(self.error)

    def _count(self) -> None:
        """Once, however often the outcome is handed over."""
        if not self.is_settled:
            self.is_settled = True
            self.errands.under_way -= 1


@dataclass(frozen=True, slots=True)
class Errand:
    name: str  # what it does, in words for `sttd status`
    job: int | None  # whose files it is about
    work: Callable[[], Any]
    then: Then
    failed: Failed


@dataclass(frozen=True, slots=True)
class Operation:
    """What a thread is doing now."""

    name: str
    job: int | None
    since: float  # monotonic seconds
    clock: int | None = None  # id of the CPU-time clock of its thread

    def spent(self) -> float:
        """Seconds of processor time: they grow with each block read and each folder listed, and stand still while it waits."""
        try:
            return 0.0 if self.clock is None else time.clock_gettime(self.clock)
        except OSError:  # its thread has just ended
            return 0.0


class Errands:
    """A few daemon threads with one queue. They are not joined at exit: one of them may never come back."""

    def __init__(
        self, sink: Callable[[Finished], None], threads: int = 2, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._queue: queue.SimpleQueue[Errand | None] = queue.SimpleQueue()
        self._now: dict[int, Operation] = {}  # by thread
        self.under_way = 0  # posted and not settled; counted on the loop alone
        self._threads = threads
        for number in range(threads):
            threading.Thread(target=self._run, args=(number,), name=f"files-{number}", daemon=True).start()

    def post(self, name: str, work: Callable[[], Any], then: Then, failed: Failed, job: int | None = None) -> None:
        self.under_way += 1
        self._queue.put(Errand(name, job, work, then, failed))

    def operations(self) -> list[Operation]:
        """What is under way in the threads, the oldest first."""
        return sorted(self._now.copy().values(), key=lambda operation: operation.since)

    def drop(self) -> None:
        """Forget what has not begun: the next start finds it in the ledger again."""
        while True:
            try:
                if self._queue.get_nowait() is not None:
                    self.under_way -= 1
            except queue.Empty:
                return

    def close(self) -> None:
        """Drop what has not begun, and let each thread end once it is idle."""
        self.drop()
        for _ in range(self._threads):
            self._queue.put(None)

    def _run(self, number: int) -> None:
        clock = time.pthread_getcpuclockid(threading.get_ident())
        while (errand := self._queue.get()) is not None:
            self._now[number] = Operation(errand.name, errand.job, self._clock(), clock)
            try:
                outcome = Finished(self, errand, errand.work(), None)
            except (OSError, SttdError) as error:
                outcome = Finished(self, errand, None, error)
            except Exception as error:  # noqa: BLE001 - a bug must end in a failed job, not in a job that waits for ever
                logger.exception("file work went wrong: {}", errand.name)
                outcome = Finished(self, errand, None, Fault(f"{type(error).__name__}: {error}"))
            del self._now[number]
            self._sink(outcome)


@dataclass(slots=True)
class FileWork:
    """All that is done with files off the loop for its jobs."""

    errands: Errands  # results and sources put in place, and what else must not hold the loop
    checks: Errands  # content checks, on a thread of their own
    upkeep: Errands  # looking for what is old, and rewriting the manifest: on a thread of their own
    models: Errands  # looks at models that requests name: on a thread of their own
    looks: dict[str, Errands] = field(
        default_factory=dict
    )  # at folders' options, by inbox: one that hangs holds up no other
    silent: list[Errands] = field(default_factory=list)  # looks at folders that did not answer at the start

    def all(self) -> tuple[Errands, ...]:
        return self.errands, self.checks, self.upkeep, self.models, *self.looks.values(), *self.silent

    def operations(self) -> list[Operation]:
        """What is under way, the oldest first."""
        under_way = [operation for errands in self.all() for operation in errands.operations()]
        return sorted(under_way, key=lambda each: each.since)
