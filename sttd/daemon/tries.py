"""Which jobs have an errand under way, and when one that went wrong is tried again. A restart may lose it without harm."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from sttd.daemon.disks import Disks

LONGEST = 20.0  # times the configured wait: with 30 s, ten minutes


class Tries:
    """By job number. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._under_way: set[int] = set()
        self._next: dict[int, tuple[float, float]] = {}  # not before, and the wait that led there
        self._shared: set[int] = set()  # of `_next`, those whose last try met a trouble that every job meets
        self._times: list[tuple[float, int]] = []  # a heap of `_next`; outdated entries are skipped

    def begin(self, job: int) -> None:
        """An errand about the job is posted."""
        self._under_way.add(job)

    def back(self, job: int) -> None:
        """The errand is back."""
        self._under_way.discard(job)

    def end(self, job: int) -> None:
        """There is nothing to be tried again."""
        self._under_way.discard(job)
        self.hurry(job)

    def put_off(self, job: int, now: float, wait: float, *, growing: bool, shared: bool | None = None) -> None:
        """The errand has failed: the next one comes after `wait` seconds, or if `growing` after twice the last wait.

        `shared`: whether it met a trouble that every job meets; None: leave that as it was.
        """
        self._under_way.discard(job)
        if shared is not None:
            (self._shared.add if shared else self._shared.discard)(job)
        before = self._next.get(job)
        pause = wait if before is None or not growing else min(2 * before[1], LONGEST * wait)
        self._next[job] = (now + pause, pause)
        heapq.heappush(self._times, (now + pause, job))

    def hurry(self, job: int) -> None:
        """The next one may come at once."""
        self._next.pop(job, None)
        self._shared.discard(job)

    def may_begin(self, job: int, now: float) -> bool:
        return job not in self._under_way and self._next.get(job, (now, 0.0))[0] <= now

    def waits(self, job: int, now: float) -> bool:
        """Whether the last errand failed, and it is not time for the next."""
        return job not in self._under_way and self._next.get(job, (now, 0.0))[0] > now

    def due(self, now: float, limit: int) -> list[int]:
        """Jobs that may be tried again now, at most `limit`, in the order of their times. They stay due until they are tried."""
        found: list[tuple[float, int]] = []
        while self._times and self._times[0][0] <= now and len(found) < limit:
            when, job = heapq.heappop(self._times)
            if self._next.get(job, (None,))[0] == when and job not in self._under_way:
                found.append((when, job))
        for each in found:
            heapq.heappush(self._times, each)
        return [job for _, job in found]

    def struggle(self) -> bool:
        """Whether the last try of some job met a trouble that every job meets; its next try may be under way."""
        return bool(self._shared)

    def __contains__(self, job: object) -> bool:
        return job in self._under_way

    def __len__(self) -> int:
        return len(self._under_way)


@dataclass(slots=True)
class Filing:
    """The jobs whose files are being moved; see filing.py."""

    tries: Tries = field(default_factory=Tries)
    disks: Disks = field(init=False)
    last: int = 0  # number of the last job whose plan was looked at; 0: begin anew

    def __post_init__(self) -> None:
        self.disks = Disks(self.tries)


@dataclass(slots=True)
class Twins:
    """The jobs whose content is being hashed; see twins.py."""

    tries: Tries = field(default_factory=Tries)
    last: int = 0  # number of the last original whose twins were looked at; 0: begin anew
