"""Whether an error that job after job meets is the machine's fault: a circuit breaker, pure, with any `now` (monotonic seconds).

One job that ends in an error may be at fault itself. Where `MANY` jobs meet the same one, and none of the others comes to a
transcript meanwhile, the whole inbox would go to `failed/` for a missing library or a card that has fallen off the bus. So the
queue is held, and jobs are let through after growing waits to see whether it is over.

A job, or sttd's own sample, that was given to a worker during the hold and is done proves that the machine works: the error
is then counted against the jobs that meet it, for `ACQUITTED` seconds, so that a handful of poisonous files cannot hold up
everybody again and again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MANY = 3  # jobs
ACQUITTED = 3600.0  # seconds
LONGEST = 20.0  # times the first wait
_KNOWN = 100  # different errors that are remembered
# what differs from job to job in one and the same error: numbers, addresses, paths, what is quoted
_PARTICULARS = re.compile(r"""0x[0-9a-f]+|'[^']*'|"[^"]*"|/\S+|\d+""", re.IGNORECASE)


@dataclass(slots=True)
class _Hold:
    since: float  # monotonic
    until: float  # jobs are let through again
    wait: float  # seconds of the last one
    tries: int = 0  # how many times jobs were let through in vain


class Streaks:
    """The errors that jobs have met since the last one that went well."""

    def __init__(self) -> None:
        self._met: dict[str, set[int]] = {}  # by error, the first jobs that met it
        self._holds: dict[str, _Hold] = {}
        self._acquitted: dict[str, float] = {}  # until when
        self.rounds = 0  # holds that began, and waits that followed them

    def met(self, job: int, error: str, now: float, wait: float) -> float | None:
        """An attempt at `job` ended in `error`.

        Args:
            job: its number.
            error: the cause and the words.
            now: monotonic seconds.
            wait: seconds for which the queue is held at first; later waits are longer.

        Returns:
            For how many seconds no job is to start; None: the error is the job's own.
        """
        error = likeness(error)
        if self._acquitted.get(error, now) > now:
            return None
        hold = self._holds.get(error)
        if hold is None:
            jobs = self._met.setdefault(error, set())
            jobs.add(job)
            while len(self._met) > _KNOWN:
                del self._met[next(iter(self._met))]
            if len(jobs) < MANY:
                return None
            hold = self._holds[error] = _Hold(now, now + wait, wait)
            self.rounds += 1
        elif now >= hold.until:  # a job was let through, in vain
            hold.wait = min(2 * hold.wait, LONGEST * wait)
            hold.until = now + hold.wait
            hold.tries += 1
            self.rounds += 1
        return hold.until - now

    def well(self, since: float, now: float) -> None:
        """A job, or the sample, that was given to a worker at `since` is done."""
        self._acquitted = {error: until for error, until in self._acquitted.items() if until > now}
        self._acquitted |= {error: now + ACQUITTED for error, hold in self._holds.items() if hold.since <= since}
        self.release()

    def release(self) -> None:
        """Nothing is held any more: a job went well, or a person says that the trouble is over."""
        self._met.clear()
        self._holds.clear()

    def in_vain(self, now: float) -> int:
        """How many times jobs were let through without success: the smallest number among the holds in force now.

        A hold that has run out does not count: its jobs may have been cancelled, or ended in another way.
        """
        return min((hold.tries for hold in self._holds.values() if hold.until > now), default=0)


def likeness(error: str) -> str:
    """The error without what differs from job to job: equal for jobs that meet the same one."""
    return _PARTICULARS.sub("#", error)
