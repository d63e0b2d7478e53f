"""Records of a span of time. Pure. Two records of one span can be joined to one; no count or extreme is lost."""

from __future__ import annotations

import bisect
import math
from collections import Counter
from dataclasses import dataclass, field, replace

from sttd.job import ENDED, State

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds

# how many buckets a duration has for each doubling: neighbours are 4.4 % apart
_FINENESS = 16
_SHORTEST = -4 * _FINENESS  # a sixteenth of a second
_LONGEST = 40 * _FINENESS  # 35,000 years


@dataclass(frozen=True, slots=True)
class Sample:
    """The daemon in one span. Waits and ends of jobs are not here: the jobs' rows have them."""

    start: int  # UTC seconds
    seconds: int  # length of the span: a minute, about, or what it was thinned to
    memory_low: float | None  # percent of what the daemon may use; None: not looked at
    memory_high: float | None
    level: int  # of `host.memory.Level`, the highest
    queued: int  # recordings that waited, at most
    load_timeouts: int  # loads of a model that took too long
    resumes: int  # attempts that went on from a checkpoint

    def joined(self, other: Sample) -> Sample:
        """Both, in the span of this one."""
        lows = [each for each in (self.memory_low, other.memory_low) if each is not None]
        highs = [each for each in (self.memory_high, other.memory_high) if each is not None]
        return replace(
            self,
            memory_low=min(lows, default=None),
            memory_high=max(highs, default=None),
            level=max(self.level, other.level),
            queued=max(self.queued, other.queued),
            load_timeouts=self.load_timeouts + other.load_timeouts,
            resumes=self.resumes + other.resumes,
        )


@dataclass(frozen=True, slots=True)
class Sum:
    """The jobs that ended in one span, and their attempts that timed out in it."""

    start: int  # UTC seconds
    seconds: int  # length of the span
    ended: Counter[State] = field(default_factory=Counter)
    audio: float = 0.0  # seconds, of the recordings that are done
    service: float = 0.0  # seconds that workers spent on these
    fallbacks: int = 0  # of these, those that the fallback model did
    job_timeouts: int = 0
    waits: Counter[int] = field(default_factory=Counter)  # of these, from arrival to transcript, by `bucket`

    def joined(self, other: Sum) -> Sum:
        """Both, in the span of this one."""
        return replace(
            self,
            ended=self.ended + other.ended,
            audio=self.audio + other.audio,
            service=self.service + other.service,
            fallbacks=self.fallbacks + other.fallbacks,
            job_timeouts=self.job_timeouts + other.job_timeouts,
            waits=self.waits + other.waits,
        )


STATES = tuple(sorted(ENDED))


def bucket(seconds: float) -> int:
    """The number of the bucket that a duration falls into; the next one begins 4.4 % later."""
    if not seconds > 0:
        return _SHORTEST
    return max(_SHORTEST, min(_LONGEST, math.floor(math.log2(min(seconds, 1e15)) * _FINENESS)))


def buckets(values: list[float]) -> Counter[int]:
    """How many durations (seconds) fall into each bucket: as `bucket` says, for many at once."""
    values = sorted(values)
    found: Counter[int] = Counter()
    done = 0
    while done < len(values):
        number = bucket(values[done])
        end = len(values) if number == _LONGEST else bisect.bisect_left(values, _begin(number + 1), done + 1)
        found[number] += end - done
        done = end
    return found


def _begin(number: int) -> float:
    """The shortest duration in a bucket, in seconds."""
    return float(2.0 ** (number / _FINENESS))


def middle(number: int) -> float:
    """A duration in a bucket, in seconds: no other one in it is more than 2.3 % away."""
    return 0.0 if number <= _SHORTEST else float(2.0 ** ((number + 0.5) / _FINENESS))


def quantile(waits: Counter[int], share: float) -> float | None:
    """The duration (seconds) that `share` of all do not exceed; None: there are none."""
    rank, seen = share * waits.total(), 0
    for number in sorted(waits):
        seen += waits[number]
        if seen >= rank and seen:
            return middle(number)
    return None
