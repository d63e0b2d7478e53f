"""When to stop believing workers that blame their machine or their file: pure.

An attempt costs its job nothing if the machine is at fault, or the file has changed. A recording that has taken over its
worker could claim that for ever, and hold up the queue each time. So `BELIEVED` false claims are believed; the next one is
an error of the job like any other. Claims of several workers of one recording at once (a share that is away for a moment)
count once.

This module only decides which cause of an end counts; policy.py alone decides what follows from it.
"""

from __future__ import annotations

import math
from typing import Any

BELIEVED = 3
_KNOWN = 1000  # jobs that are remembered; a restart may lose them


class Claims:
    """`of_machine` and `refuted` return whether the worker is believed. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._well: dict[str, float] = {}  # by worker, when the latest attempt that succeeded was submitted
        self._said: dict[
            int, tuple[str, float]
        ] = {}  # by job, which worker said last that its machine is at fault, and when
        self._refuted: dict[int, tuple[int, float]] = {}  # by job, how many claims were false, and when the last was

    def well(self, worker: str, submitted: float) -> None:
        """An attempt that was given to a worker at `submitted` is done."""
        self._well[worker] = max(submitted, self._well.get(worker, submitted))

    def forget(self, job: int) -> None:
        """Forget what was claimed about a job: a person wants it tried anew, or its file has changed."""
        self._said.pop(job, None)
        self._refuted.pop(job, None)

    def of_machine(self, job: int, worker: str, submitted: float, now: float) -> bool:
        """A worker blames its machine for the end of an attempt that was submitted at `submitted`.

        The previous claim about this job was false if its worker has done well with an attempt submitted after it.
        """
        before, when = self._said.pop(job, ("", now))
        self._said[job] = (worker, now)
        _trim(self._said)
        return self._well.get(before, -math.inf) <= when or self.refuted(job, submitted, now)

    def refuted(self, job: int, submitted: float, now: float) -> bool:
        """Count a false claim. Attempts submitted before the latest one was counted count together with it."""
        times, latest = self._refuted.pop(job, (0, -math.inf))
        if submitted > latest:
            times, latest = times + 1, now
        self._refuted[job] = (times, latest)
        _trim(self._refuted)
        return times <= BELIEVED


def _trim(jobs: dict[int, Any]) -> None:
    while len(jobs) > _KNOWN:
        del jobs[next(iter(jobs))]
