"""Whose turn is it? Worker time is shared between the owners of files, and for each owner between two queues.

The queues are `fresh`, jobs that no worker has had yet, and `served`, jobs that go on after a slice; in both the job that
has waited longest is next. So neither a hundred thousand clips starve a long recording nor one long recording all clips,
and a person who drops a hundred thousand files delays nobody but himself.

It is stride scheduling: who has had least worker time is served next. The rules that keep every wait short:

- Only differences count, and at most one slice of them. Who was alone for a week owes the others one slice, not a week;
  who was away for a week is one slice ahead, not a week.
- The expected time is charged when an attempt begins, and put right when it ends: else all free workers would go to the
  same queue at once.
- What is kept is little and may be lost: a restart begins with nobody owing anything.

Waldspurger and Weihl, "Stride Scheduling" (MIT/LCS/TM-528, 1995), section 3.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Queue = Literal["fresh", "served"]
QUEUES: tuple[Queue, ...] = get_args(Queue)
MOST = 100  # owners that are remembered, beside those that wait
_NEWER = 0.2  # weight of the newest attempt in the typical length of a queue's attempts


@dataclass(frozen=True, slots=True)
class Charge:
    """Worker time that is charged to an owner and a queue."""

    owner: int  # user number
    queue: Queue
    seconds: float = 0.0  # charged at the beginning


@dataclass(slots=True)
class _Account:
    """Worker seconds beyond those of whoever has had least."""

    total: float = 0.0
    queues: dict[Queue, float] = field(default_factory=lambda: dict.fromkeys(QUEUES, 0.0))


class Turns:
    """The accounts of the owners."""

    def __init__(self) -> None:
        self._accounts: dict[int, _Account] = {}
        self._typical: dict[Queue, float] = {}  # seconds of an attempt

    def order(self, owners: Collection[int], most: float) -> list[tuple[int, Queue]]:
        """Owners and queues in the order in which they are served: where no job waits, the next one is tried.

        Args:
            owners: those who have a waiting job; the one of them who has had least is the zero of all accounts.
            most: seconds of one slice: larger differences are forgotten.
        """
        self._level(owners, most)
        found = sorted(owners, key=lambda owner: (self._accounts[owner].total, owner))
        return [(owner, queue) for owner in found for queue in self._queues(owner)]

    def begin(self, owner: int, queue: Queue, most: float) -> Charge:
        """An attempt at a job begins. It is charged the recent mean time of the queue's attempts; `most` while there is none."""
        seconds = min(most, self._typical.get(queue, most))
        self._charge(owner, queue, seconds)
        return Charge(owner, queue, seconds)

    def end(self, charge: Charge, seconds: float) -> None:
        """The attempt took so many worker seconds."""
        self._charge(charge.owner, charge.queue, seconds - charge.seconds)
        before = self._typical.get(charge.queue, seconds)
        self._typical[charge.queue] = before + _NEWER * (seconds - before)

    def _charge(self, owner: int, queue: Queue, seconds: float) -> None:
        account = self._accounts.setdefault(owner, _Account())
        account.total += seconds
        account.queues[queue] += seconds

    def _level(self, owners: Collection[int], most: float) -> None:
        """Subtract the smallest total of the waiting owners from all accounts, and cut differences down to `most`."""
        for owner in owners:
            self._accounts.setdefault(owner, _Account())
        least = min((self._accounts[owner].total for owner in owners), default=0.0)
        for account in self._accounts.values():
            account.total = min(max(account.total - least, -most), most)
            low = min(account.queues.values())
            account.queues = {queue: min(seconds - low, most) for queue, seconds in account.queues.items()}
        if len(self._accounts) > MOST:
            heaviest: Sequence[int] = sorted(self._accounts, key=lambda owner: self._accounts[owner].total)[-MOST:]
            kept = {*heaviest, *owners}
            self._accounts = {owner: account for owner, account in self._accounts.items() if owner in kept}

    def _queues(self, owner: int) -> list[Queue]:
        account = self._accounts[owner]
        return sorted(QUEUES, key=lambda queue: account.queues[queue])
