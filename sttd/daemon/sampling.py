"""Samples of the daemon for reports: what the rows of jobs do not have. One a minute at most, none while nothing happens.

A change of memory use within its level starts no sample, so that an idle disk may sleep. What a killed daemon has seen of
its last minute is lost.
"""

from __future__ import annotations

from dataclasses import replace

from loguru import logger

from sttd.daemon.context import Context
from sttd.daemon.counts import Happened
from sttd.errors import LedgerCorrupt, LedgerError
from sttd.host.memory import Level
from sttd.job import State
from sttd.ledger.past.records import MINUTE, Sample

SPAN = float(MINUTE)  # seconds


class Sampler:
    """Looks once a second, stores once a minute."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: tuple[object, ...] | None = None  # the jobs by state and the memory's level at the last look
        self._sample: Sample | None = None  # of the span that has begun
        self._due = 0.0  # monotonic

    def look(self, percent: float | None, level: Level) -> None:
        """Note how things stand; `percent` of the memory that may be used, None: not known yet.

        `sttd transcribe` has no use for it: its ledger goes away.
        """
        context = self._context
        if context.inbox is None:
            return
        counts = context.ledger.counts()
        known = (tuple(counts.values()), level)
        is_news = self._known not in (None, known) or bool(context.running) or context.counts.happened != Happened()
        self._known = known
        if self._sample is None and not is_news:
            return
        now, utc = context.clock(), context.utc()
        seen = Sample(max(0, int(utc)), MINUTE, percent, percent, int(level), counts[State.QUEUED], 0, 0)
        if self._sample is None:
            self._sample, self._due = seen, now + SPAN
        self._sample = self._sample.joined(seen)
        if now >= self._due:
            self.store()

    def store(self) -> None:
        """Store what was seen since the last time, if anything was."""
        context, sample = self._context, self._sample
        if sample is None:
            return
        happened = context.counts.happened
        whole = replace(sample, load_timeouts=happened.load_timeouts, resumes=happened.resumes)
        try:
            context.ledger.add_sample(whole, context.utc())
        except LedgerCorrupt:
            raise
        except LedgerError as error:  # jobs meet the same trouble, and have it logged; the sample goes on
            logger.debug("no sample is stored: {}", error)
            self._due = context.clock() + SPAN
            return
        self._sample, context.counts.happened = None, Happened()
