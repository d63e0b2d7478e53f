"""When recordings will be done, estimated from earlier ones. Pure: the time is passed in, all spans are seconds."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sttd.job import Job

_LONGEST = 30 * 86400.0  # a longer estimate is not shown: somebody has set the clock


class Rates:
    """How long a worker takes for a byte. The size of a recording is known at once, its length only when a worker has it."""

    def __init__(self, done: Iterable[Job]) -> None:
        """`done`: finished jobs, such as the last hundred. Copies of another job's result took no worker's time."""
        self._spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])  # by suffix: seconds, bytes
        for job in done:
            if job.service > 0 and job.size > 0 and job.copy_of is None:
                for name in (_suffix(job.source), ""):
                    self._spent[name][0] += job.service
                    self._spent[name][1] += job.size

    def seconds(self, job: Job) -> float | None:
        """A worker's time for all of a recording; None: nothing like it has been done."""
        known = self._spent.get(_suffix(job.source)) or self._spent.get("")
        return None if known is None else job.size * known[0] / known[1]

    def left(self, job: Job) -> float | None:
        """A worker's time for what is not done yet; None: nothing like it has been done."""
        whole = self.seconds(job)
        share = min(1.0, job.progress / job.audio_seconds) if job.audio_seconds else 0.0
        return None if whole is None else whole * (1.0 - share)


def _suffix(source: str) -> str:
    """Lower case; "." where there is none, for "" stands for all of them."""
    return f".{source.rpartition('/')[2].rpartition('.')[2].lower()}"


def of_worker(worker: dict[str, Any], job: Job, rates: Rates, now: float) -> float | None:
    """How long a worker still needs for the recording that it has; None: not known yet.

    Args:
        worker: see `figures.status`.
        job: the recording.
        rates: those of earlier recordings, used until this one has made progress.
        now: UTC seconds.
    """
    done, total = worker["done"] or 0.0, worker["total"]
    is_part = worker.get("part") is not None
    pace = _pace(worker, worker["since"] if is_part else job.started_at, now)
    if total and pace is not None:
        left = max(0.0, total - done) / pace
        return left if left < _LONGEST else None
    return None if is_part else rates.left(job)


def of_parts(workers: Sequence[dict[str, Any]], job: Job, now: float) -> float | None:
    """How long the workers that have parts of a recording need for all that is left of it; None: not known yet."""
    pace = sum(_pace(worker, worker["since"], now) or 0.0 for worker in workers)
    if not pace or not job.audio_seconds:
        return None
    left = max(0.0, job.audio_seconds - job.progress) / pace
    return left if left < _LONGEST else None


def _pace(worker: dict[str, Any], since: float | None, now: float) -> float | None:
    """Seconds of audio a second since an attempt began; None: not known yet."""
    gone, lasted = (worker["done"] or 0.0) - (worker["resumed_at"] or 0.0), now - (since or now)
    return gone / lasted if gone > 0 and lasted > 0 else None


def ends(busy: Sequence[float], workers: int, waiting: Iterable[float]) -> Iterator[float]:
    """When each of the recordings that wait is done, in seconds from now, if they start in this order.

    Args:
        busy: how long each worker that has a recording still needs.
        workers: how many there are.
        waiting: how long a worker takes for each.
    """
    free = [*busy, *[0.0] * max(0, workers - len(busy))][: max(1, workers)] or [0.0]
    heapq.heapify(free)
    for span in waiting:
        end = free[0] + span
        heapq.heapreplace(free, end)
        yield end
