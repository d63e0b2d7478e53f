"""Which attempts are over their time: pure, so that every case can be tested with any `now`.

Before Started the clock measures liveness: each message resets it (the load has a clock of its own in the worker). A
worker that only sends messages would keep its slot for ever, so this phase has a total limit too; it grows with the size
of the recording, which may have to be sent elsewhere, or decoded up to where the attempt goes on. From Started on, time
is charged against `pool.job_timeout`. Time in which everything stood still (the cgroup frozen, a virtual machine paused;
a suspend stops CLOCK_MONOTONIC by itself) is charged to no attempt: it shows as a gap between two ticks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_SLOWEST = 10_000.0  # bytes per second: a recording that comes more slowly is given up
_LONGEST = 3600.0  # seconds for all else before Started, on top of the liveness limit
_FAR = 5.0  # times the expected time between two ticks: a longer gap means that this process did not run


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
        """The attempt is submitted. Until Started it may be silent for `limit` seconds, and take `most` seconds in all."""
        self._clocks[key] = _Clock(now, limit, charged=False, begun=now, most=most)

    def alive(self, key: str, now: float) -> None:
        """A message came. It resets the clock before Started only: progress does not lengthen a job's time."""
        clock = self._clocks.get(key)
        if clock is not None and not clock.charged:
            clock.since = now

    def charge(self, key: str, now: float, limit: float) -> None:
        """The model is ready: from here on the attempt has `limit` seconds. A second call changes nothing."""
        clock = self._clocks.get(key)
        if clock is None or not clock.charged:
            self._clocks[key] = _Clock(now, limit, charged=True)

    def remove(self, key: str) -> None:
        self._clocks.pop(key, None)

    def tick(self, now: float, expected: float) -> None:
        """Called about every `expected` seconds. The excess of a much longer gap is charged to no attempt."""
        last, self._last, self._expected = self._last, now, expected
        if last is None or now - last <= _FAR * expected:
            return
        stopped = now - last - expected
        for clock in self._clocks.values():
            clock.since += min(stopped, now - clock.since)
            clock.begun += min(stopped, now - clock.begun)

    def overdue(self, now: float) -> list[tuple[str, float]]:
        """The attempts over their time, each with the limit that it broke, in seconds.

        This call counts as a tick, so that a sweep right after a standstill kills no worker.
        """
        self.tick(now, self._expected)
        late = [(key, clock.limit) for key, clock in self._clocks.items() if now - clock.since > clock.limit]
        endless = [(key, clock.most) for key, clock in self._clocks.items() if now - clock.begun > clock.most]
        return list(dict(endless + late).items())


def liveness_limit(load_timeout: float) -> float:
    """How long a worker may be silent before Started: long enough for two model loads that time out, and its own start."""
    return 2 * load_timeout + 60


def longest_start(limit: float, size: int) -> float:
    """How long a worker may take until Started, however many messages it sends.

    Args:
        limit: how long it may be silent.
        size: of the recording, bytes.
    """
    return limit + _LONGEST + size // _SLOWEST


def timed_out(limit: float) -> str:
    """The log line that operators search for, word for word."""
    return f"⏰ Job timed out after {int(limit) if limit == int(limit) else limit} seconds"
