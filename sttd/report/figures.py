"""The figures of a report: what became of jobs in each span of a period, and the daemon's memory, queue and resumes."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sttd.ledger.past.records import Sample, Sum, quantile
from sttd.report.calendar import Step, instants, step, zone_name

if TYPE_CHECKING:
    from sttd.config import Config

MOST = 60  # spans
_LONGEST = 50 * 365.25 * 86400  # seconds back: older than sttd

MEDIAN, HIGH = 0.5, 0.95


class Source(Protocol):
    """The ledger, see `ledger.past.reading`."""

    def require_history(self) -> None: ...
    def ended_between(self, since: float, until: float) -> Sum: ...
    def sampled_between(self, since: float, until: float) -> Sample | None: ...


@dataclass(frozen=True, slots=True)
class Levels:
    """In percent of the memory; see `[memory]`."""

    moderate: float
    high: float
    critical: float

    @classmethod
    def of(cls, config: Config) -> Levels:
        return cls(config.memory.moderate, config.memory.high, config.memory.critical)


@dataclass(frozen=True, slots=True)
class Span:
    """One bar of each chart."""

    start: float  # UTC seconds
    end: float  # the last span may end later than now
    jobs: Sum
    daemon: Sample | None  # None: it did nothing, or did not run

    @property
    def audio_rate(self) -> float:
        """Hours of recordings that were done in an hour."""
        return self.jobs.audio / (self.end - self.start)

    @property
    def load_timeouts(self) -> int:
        return self.daemon.load_timeouts if self.daemon else 0

    @property
    def resumes(self) -> int:
        return self.daemon.resumes if self.daemon else 0

    @property
    def is_empty(self) -> bool:
        return self.daemon is None and not self.jobs.ended and not self.jobs.job_timeouts


@dataclass(frozen=True, slots=True)
class Figures:
    """What a report says."""

    since: float  # UTC seconds; the start of the first span
    until: float
    zone: str  # `UTC+07:00`
    step: Step
    spans: Sequence[Span]
    levels: Levels

    @property
    def jobs(self) -> Sum:
        """Those of all spans together."""
        whole = Sum(int(self.since), int(self.until - self.since))
        for each in self.spans:
            whole = whole.joined(each.jobs)
        return whole

    @property
    def audio_rate(self) -> float:
        """Hours of recordings that were done in an hour."""
        return self.jobs.audio / max(1.0, self.until - self.since)

    @property
    def load_timeouts(self) -> int:
        return sum(each.load_timeouts for each in self.spans)

    @property
    def resumes(self) -> int:
        return sum(each.resumes for each in self.spans)

    @property
    def memory_high(self) -> float | None:
        """The highest, in percent."""
        found = [each.daemon.memory_high for each in self.spans if each.daemon]
        return max((each for each in found if each is not None), default=None)

    @property
    def is_empty(self) -> bool:
        return all(each.is_empty for each in self.spans)


def wait(jobs: Sum, share: float) -> float | None:
    """Seconds within which `share` of the recordings that are done had their transcript after their arrival; see `quantile`."""
    return quantile(jobs.waits, share)


def build(source: Source, since: float, until: float, levels: Levels, zone: dt.tzinfo | None = None) -> Figures:
    """Read what happened from `since` to `until` (UTC seconds), in spans of the clock or the calendar.

    Raises:
        LedgerError: the ledger cannot be read, or is of an older version.
    """
    source.require_history()
    since = max(min(since, until - 1), until - _LONGEST)
    wide = step(until - since, MOST)
    borders = instants(since, until, wide, zone)
    spans = [
        Span(start, end, source.ended_between(start, end), source.sampled_between(start, end))
        for start, end in itertools.pairwise(borders)
    ]
    return Figures(borders[0], until, zone_name(until, zone), wide, spans, levels)
