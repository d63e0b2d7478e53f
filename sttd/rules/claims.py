"""What a worker says of its machine or its file, though it is not so: pure.

That the machine is at fault, or the file is another one, costs a job no attempt. A recording that has taken its worker over could say
so for ever, and hold the others up each time. So it is believed `BELIEVED` times after it turned out not to be so, and then it is an
error of the job like any other.
"""

from __future__ import annotations

import math
from typing import Any

BELIEVED = 3
_KNOWN = 1000  # jobs that are remembered; a restart may lose them


class Claims:
    """`of_machine` and `refuted` return whether the worker is believed. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._well: dict[str, float] = {}  # by worker, when it was given the latest attempt that it did well
        self._said: dict[
            int, tuple[str, float]
        ] = {}  # by job, which worker said last that its machine is at fault, and when
        self._refuted: dict[int, int] = {}  # by job, how often it was not so

    def well(self, worker: str, submitted: float) -> None:
        """An attempt that was given to a worker at `submitted` is done."""
        self._well[worker] = max(submitted, self._well.get(worker, submitted))

    def of_machine(self, job: int, worker: str, now: float) -> bool:
        """A worker says that its machine is at fault.

        It was not the last time that this job's worker said so, where that one has done well since what it was given afterwards.
        """
        before, when = self._said.pop(job, ("", now))
        self._said[job] = (worker, now)
        _forget(self._said)
        return self._well.get(before, -math.inf) <= when or self.refuted(job)

    def refuted(self, job: int) -> bool:
        """What a worker says is not so, or was not so the last time."""
        times = self._refuted[job] = self._refuted.pop(job, 0) + 1
        _forget(self._refuted)
        return times <= BELIEVED


def _forget(jobs: dict[int, Any]) -> None:
    while len(jobs) > _KNOWN:
        del jobs[next(iter(jobs))]
