"""What is wrong with the machine or with one job's files: logged once, shown by `sttd status` until it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sttd.host.events import Kind, say

ALL = -float("inf")  # monotonic: a trouble that holds nobody up
TRANSCRIPTS, ARCHIVE = OUTBOX = ("transcripts", "archive")  # names of troubles: no job's files can be put there


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong. If it keeps jobs from starting, it does so until `until`."""

    text: str
    until: float  # monotonic seconds
    jobs: set[int] = field(default_factory=set)  # the jobs that it is about; none: it is about all of them


class Troubles:
    """A table by name: "ledger", "inbox", a folder, … Each is begun once and ended once, however often it is met."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._table: dict[str, Trouble] = {}

    def begin(self, name: str, text: str, wait: float = 0.0) -> bool:
        """Something is wrong. No job starts for `wait` seconds.

        Returns:
            Whether it is news, which is worth a line in the log.
        """
        before, self._table[name] = self._table.get(name), Trouble(text, self._clock() + wait)
        return before is None

    def begin_for(self, job: int, name: str, text: str) -> bool:
        """Something is wrong that concerns the files of `job`, and perhaps of others under the same name; all others go on.

        Returns:
            Whether it is news.
        """
        is_news = name not in self._table
        jobs: set[int] = set() if is_news else self._table[name].jobs
        jobs.add(job)
        self._table[name] = Trouble(text, ALL, jobs)
        return is_news

    def end(self, name: str, kind: Kind = Kind.REMARK) -> None:
        """What was wrong no longer is."""
        before = self._table.pop(name, None)
        if before is not None:
            say(kind, f"over: {before.text}", level="INFO")

    def end_for(self, job: int) -> None:
        """Nothing is wrong with the files of `job` any more."""
        for name, trouble in list(self._table.items()):
            if job in trouble.jobs:
                trouble.jobs.discard(job)
                if not trouble.jobs:
                    self.end(name)

    def drop(self, name: str) -> None:
        """Forget it without a line in the log: the caller logs what has changed."""
        self._table.pop(name, None)

    def jobs(self) -> frozenset[int]:
        """The jobs whose own files have a trouble."""
        return frozenset().union(*(trouble.jobs for trouble in self._table.values()))

    def hold(self) -> bool:
        """Whether something keeps every job from starting now."""
        return bool(self.holding())

    def holding(self) -> frozenset[str]:
        """The names of what does."""
        now = self._clock()
        return frozenset(name for name, trouble in self._table.items() if trouble.until > now)

    def texts(self, without: str | None = None) -> list[str]:
        """What is wrong, in words; but not those whose names begin with `without`."""
        return [
            trouble.text for name, trouble in self._table.items() if without is None or not name.startswith(without)
        ]

    def __contains__(self, name: str) -> bool:
        return name in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)
