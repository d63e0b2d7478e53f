"""File work off the loop: a dead network mount may hold a thread here, never the daemon."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loguru import logger

from sttd.errors import SttdError


@dataclass(frozen=True, slots=True)
class Finished:
    """An errand is back. `then` is called on the loop with its result, or `failed` with its error."""

    result: Any
    error: OSError | SttdError | None
    then: Callable[[Any], None]
    failed: Callable[[OSError | SttdError], None]


@dataclass(frozen=True, slots=True)
class _Errand:
    work: Callable[[], Any]
    then: Callable[[Any], None]
    failed: Callable[[OSError | SttdError], None]


class Errands:
    """A few daemon threads with one queue. They are not joined at exit: one of them may never come back."""

    def __init__(self, sink: Callable[[Finished], None], threads: int = 2) -> None:
        self._sink = sink
        self._queue: queue.SimpleQueue[_Errand] = queue.SimpleQueue()
        self.under_way = 0  # counted on the loop alone
        for number in range(threads):
            threading.Thread(target=self._run, name=f"files-{number}", daemon=True).start()

    def post(
        self, work: Callable[[], Any], then: Callable[[Any], None], failed: Callable[[OSError | SttdError], None]
    ) -> None:
        self.under_way += 1
        self._queue.put(_Errand(work, then, failed))

    def settle(self, finished: Finished) -> None:
        """On the loop: hand the outcome over."""
        if finished.error is None:
            finished.then(finished.result)
        else:
            finished.failed(finished.error)
        self.under_way -= 1

    def _run(self) -> None:
        while True:
            errand = self._queue.get()
            try:
                outcome = Finished(errand.work(), None, errand.then, errand.failed)
            except (OSError, SttdError) as error:
                outcome = Finished(None, error, errand.then, errand.failed)
            except Exception as error:  # noqa: BLE001 - a bug must end in a failed job, not in a job that waits for ever
                logger.exception("file work went wrong")
                outcome = Finished(None, SttdError(f"{type(error).__name__}: {error}"), errand.then, errand.failed)
            self._sink(outcome)
