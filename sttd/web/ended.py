"""How many jobs ended, and how, since this process began to look: counters that only rise.

The rows themselves cannot be counted for that: retention forgets jobs, and a counter that falls is taken for a restart. So each
look compares the jobs that are open now with those that were open at the last one.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from sttd.job import ENDED, Job, State
from sttd.ledger import Ledger
from sttd.part import Cause

# how an attempt ends that goes on later, or that a person ended: nothing went wrong
PLANNED = frozenset({Cause.SLICE, Cause.ASKED, Cause.SHUTDOWN, Cause.CANCELLED})


@dataclass(slots=True)
class Totals:
    """What was counted so far."""

    ended: Counter[State] = field(default_factory=Counter)
    problems: Counter[Cause] = field(default_factory=Counter)  # attempts that something went wrong with, by cause
    audio: float = 0.0  # seconds of the recordings that are done
    fallbacks: int = 0  # of them, those whose result is not of the model that was asked for
    warned: int = 0  # of them, those whose result has warnings
    waited: float = 0.0  # seconds from the file's arrival to its end, for those that are done
    worked: float = 0.0  # seconds that workers spent on the jobs that ended


class Ended:
    """Counts at each look. Safe for threads."""

    def __init__(self) -> None:
        self.totals = Totals()
        self._lock = threading.Lock()
        self._open: set[int] | None = None  # None: nobody has looked yet
        self._newest = 0
        self._counted: dict[int, tuple[int, float]] = {}  # of jobs that a retry may open again: see `_add`

    def look(self, ledger: Ledger) -> Totals:
        """The totals with all that ended since the last look. What ended before the first look is not counted."""
        with self._lock:
            newest, still = ledger.newest(), ledger.open_jobs()
            before, self._open = self._open, still
            first, self._newest = self._newest + 1, max(newest, self._newest)
            if before is not None:
                for number in sorted((before - still) | set(range(first, newest + 1)) - still):
                    job = ledger.find(number)
                    if job is not None and job.state in ENDED:
                        self._add(ledger, job)
            return self.totals

    def _add(self, ledger: Ledger, job: Job) -> None:
        """Count one job. After a retry only what came since is counted."""
        totals = self.totals
        last, service = self._counted.pop(job.id, (0, 0.0))
        totals.ended[job.state] += 1
        totals.worked += max(0.0, job.service - service)
        if job.state is State.DONE:
            totals.audio += job.audio_seconds or 0.0
            totals.waited += max(0.0, (job.finished_at or job.created_at) - job.created_at)
            totals.fallbacks += bool(job.fallback_reason)
            totals.warned += bool(job.warnings)
        else:
            self._counted[job.id] = job.attempt, job.service
        for attempt in ledger.attempts(job.id):
            if attempt["attempt"] > last and attempt["cause"] in set(Cause) - PLANNED:
                totals.problems[Cause(attempt["cause"])] += 1
