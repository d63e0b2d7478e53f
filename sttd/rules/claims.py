"""What a worker says of its machine or its file, though it is not so: pure.

That the machine is at fault, or the file is another one, costs a job no attempt. A recording that has taken its worker over could say
so for ever, and hold the others up each time. So it is believed `BELIEVED` times after it turned out not to be so, and then it is an
error of the job like any other. What several workers of one recording meet at once (a share that is away for a moment) counts once.

Only the cause of an end is decided here, like that of a line that breaks again and again; what follows from a cause is policy's alone.
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
        self._refuted: dict[int, tuple[int, float]] = {}  # by job, how often it was not so, and when the last time

    def well(self, worker: str, submitted: float) -> None:
        """An attempt that was given to a worker at `submitted` is done."""
        self._well[worker] = max(submitted, self._well.get(worker, submitted))

    def forget(self, job: int) -> None:
        """A person wants it tried anew, or its file is another one now."""
        self._said.pop(job, None)
        self._refuted.pop(job, None)

    def of_machine(self, job: int, worker: str, submitted: float, now: float) -> bool:
        """A worker says that its machine is at fault, of an attempt that it was given at `submitted`.

        It was not the last time that this job's worker said so, where that one has done well since what it was given afterwards.
        """
        before, when = self._said.pop(job, ("", now))
        self._said[job] = (worker, now)
        _trim(self._said)
        return self._well.get(before, -math.inf) <= when or self.refuted(job, submitted, now)

    def refuted(self, job: int, submitted: float, now: float) -> bool:
        """What a worker says is not so, or was not so the last time."""
        times, latest = self._refuted.pop(job, (0, -math.inf))
        if submitted > latest:
            times, latest = times + 1, now
        self._refuted[job] = (times, latest)
        _trim(self._refuted)
        return times <= BELIEVED


def _trim(jobs: dict[int, Any]) -> None:
    while len(jobs) > _KNOWN:
        del jobs[next(iter(jobs))]
