"""Sources that were filed away are looked at again, in case their writers went on: a changed one is a new job.

The ledger says which ones: those of ended jobs, by the time of their end. A fact stores the end up to which they were
looked at, so that a restart misses none. The looks are made on a thread of their own, a page at a time.
"""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass

from sttd.daemon.context import Context
from sttd.daemon.errands import Errands
from sttd.errors import SttdError
from sttd.fs.digest import digest
from sttd.host.events import Kind, say
from sttd.job import Identity, Job, State
from sttd.ledger.facts import LOOKED_BACK
from sttd.rules.lookback import Filed, ages, compare
from sttd.text import printable

PAGE = 500  # files in one errand
INTERVAL = 30.0  # seconds between two looks, at most
OLDEST = 7 * 86_400.0  # seconds; what ended before that is not looked at after a long stop


@dataclass(frozen=True, slots=True)
class _Page:
    age: int  # index in `ages`
    jobs: list[Job]
    until: float  # UTC seconds: once it is done, all jobs that ended before were looked at


class LookBack:
    """One page under way at a time. Owned by the loop."""

    def __init__(self, context: Context, errands: Errands) -> None:
        self._context = context
        self._errands = errands
        self._ends: list[float] | None = None  # by age; see `LOOKED_BACK`
        self._due = 0.0  # monotonic seconds

    def step(self) -> None:
        """Look at the next page of each age, where one is due."""
        context, now = self._context, self._context.clock()
        if self._errands.under_way or now < self._due or context.stopping or context.inbox is None:
            return
        waits = ages(context.config.watch.patience)
        if self._ends is None:
            self._ends = self._remembered(waits)
        self._due = now + max(1.0, min(INTERVAL, waits[0] / 10))
        for number, wait in enumerate(waits):
            until = context.utc() - wait
            self._ends[number] = min(self._ends[number], until)  # later only where the clock has been set back
            if until <= self._ends[number]:
                continue
            jobs = context.ledger.filed(self._ends[number], until, PAGE)
            if jobs:
                is_full = len(jobs) == PAGE
                self._post(_Page(number, jobs, (jobs[-1].finished_at or until) if is_full else until))
                self._due = 0.0 if is_full else self._due
                return
            self._ends[number] = until

    def _remembered(self, waits: tuple[float, ...]) -> list[float]:
        now, known = self._context.utc(), self._context.ledger.fact(LOOKED_BACK)
        if known is None or len(known) != len(waits):
            known = (math.inf if known is None else -math.inf,) * len(waits)
        return [max(now - wait - OLDEST, min(end, now - wait)) for end, wait in zip(known, waits, strict=True)]

    def _post(self, page: _Page) -> None:
        def then(found: list[tuple[Job, Identity]]) -> None:
            ledger = self._context.ledger
            with ledger.transaction():
                for job, identity in found:
                    self._add(job, identity)
                if self._ends is not None:
                    self._ends[page.age] = page.until
                    ledger.set_fact(LOOKED_BACK, tuple(self._ends))

        def failed(error: OSError | SttdError) -> None:
            say(Kind.REMARK, f"sources that were filed away cannot be looked at again: {printable(str(error))}")

        name = "looks again at sources that were filed away"
        self._errands.post(name, lambda: written_on(page.jobs), then, failed)

    def _add(self, job: Job, identity: Identity) -> None:
        """A new job, from where the file lies; the old one keeps its result."""
        context = self._context
        current = context.ledger.find(job.id)
        if current is None or current.state is not job.state or current.location != job.location:
            return  # a person has asked for something meanwhile
        if not context.ledger.is_newest_at(job):
            return  # this page was stored before: the ledger failed afterwards, and it was handed over once more
        now = context.utc()
        # its writer may still be at work: the new job waits for a while, and starts anew if the file changes again
        settle = context.config.of(job.source).settle()
        not_before = now + max(settle, min(60.0, ages(context.config.watch.patience)[0]))
        same = {"location": job.location, "folder_options": job.folder_options}
        new = context.ledger.add(job.source, identity, now, not_before=not_before, **same)
        if job.state is State.FAILED:
            context.ledger.update(current, location="")
        text = (
            f"job {new.id}: {printable(job.source)} was written on after job {job.id} had ended: it is queued as it is now, "
            f"from {printable(job.location or '')}"
        )
        say(Kind.JOB_QUEUED, text, new, size=identity.size)


def written_on(jobs: list[Job]) -> list[tuple[Job, Identity]]:
    """Those whose source is another version than the one that was filed away, with what it is now."""
    found = []
    for job in jobs:
        try:
            identity = _look(job)
        except OSError:
            continue  # a later look, or nobody, will see it
        if identity is not None:
            found.append((job, identity))
    return found


def _look(job: Job) -> Identity | None:
    seen = os.lstat(job.location or "")
    if not stat.S_ISREG(seen.st_mode):
        return None
    found = Identity.of(seen)
    match compare(job.identity, found):
        case Filed.SAME:
            return None
        case Filed.DOUBT if job.sha256 and digest(job.location or "") == job.sha256:
            return None
    return found
