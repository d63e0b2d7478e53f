"""Which attempts are over their time: pure, so that every case can be tested with any `now`.

Before Started the clock of an attempt is one of liveness: it starts again with each message (the load has a clock of
its own in the worker). But a worker that does nothing except that would keep its slot for ever: there is a limit for all of it
too, which grows with the recording that is to be sent or wound forward. From Started on it is charged against `pool.job_timeout`. Time in which everything stood
still (the cgroup frozen, a virtual machine paused; a suspend stops CLOCK_MONOTONIC by itself) is charged to nobody: it
shows as a gap between two ticks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_SLOWEST = 10_000.0  # bytes in a second: a recording that comes slower is none
_LONGEST = 3600.0  # seconds for all else before Started, beside its silent times
_FAR = 5.0  # times the expected time between two ticks: a longer gap means that we did not run


@dataclass(slots=True)
class _Clock:
    since: float  # monotonic seconds
    limit: float  # seconds
    charged: bool
    begun: float = 0.0  # monotonic seconds
    most: float = math.inf  # seconds


class Deadlines:
    """The clocks of the running parts. Times are monotonic seconds, and never go back."""

    def __init__(self) -> None:
        self._clocks: dict[str, _Clock] = {}
        self._last: float | None = None
        self._expected = 1.0

    def waiting(self, key: str, now: float, limit: float, most: float = math.inf) -> None:
        """The attempt is submitted: until Started no message may keep us waiting for more than `limit` seconds, nor all for `most`."""
        self._clocks[key] = _Clock(now, limit, charged=False, begun=now, most=most)

    def alive(self, key: str, now: float) -> None:
        """A message came. It resets the clock before Started only: progress does not lengthen a job's time."""
        clock = self._clocks.get(key)
        if clock is not None and not clock.charged:
            clock.since = now

    def charge(self, key: str, now: float, limit: float) -> None:
        """The model is ready: from here on the attempt has `limit` seconds. Once: whoever says it again gets no more time."""
        clock = self._clocks.get(key)
        if clock is None or not clock.charged:
            self._clocks[key] = _Clock(now, limit, charged=True)

    def remove(self, key: str) -> None:
        self._clocks.pop(key, None)

    def tick(self, now: float, expected: float) -> None:
        """Called about every `expected` seconds; what a much longer gap has above that is nobody's time."""
        last, self._last, self._expected = self._last, now, expected
        if last is None or now - last <= _FAR * expected:
            return
        stopped = now - last - expected
        for clock in self._clocks.values():
            clock.since += min(stopped, now - clock.since)
            clock.begun += min(stopped, now - clock.begun)

    def overdue(self, now: float) -> list[tuple[str, float]]:
        """The attempts over their time, each with the limit that it broke, in seconds.

        It counts as a tick, so that a sweep that comes first after a standstill kills nobody.
        """
        self.tick(now, self._expected)
        late = [(key, clock.limit) for key, clock in self._clocks.items() if now - clock.since > clock.limit]
        endless = [(key, clock.most) for key, clock in self._clocks.items() if now - clock.begun > clock.most]
        return list(dict(endless + late).items())


def liveness_limit(load_timeout: float) -> float:
    """How long a worker may be silent before Started: both loads take all their time, and the start some more."""
    return 2 * load_timeout + 60


def longest_start(limit: float, size: int) -> float:
    """How long it may take a worker to Started, whatever it says meanwhile.

    Args:
        limit: how long it may be silent.
        size: of the recording, bytes.
    """
    return limit + _LONGEST + size // _SLOWEST


def timed_out(limit: float) -> str:
    """The log line that operators search for, word for word."""
    return f"⏰ Job timed out after {int(limit) if limit == int(limit) else limit} seconds"
