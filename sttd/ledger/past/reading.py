"""What happened in a span of time: from the jobs and attempts themselves, the sums of forgotten ones, and the samples.

Only indexes are read, a few thousand values at once: a million jobs take seconds, and hardly any memory.
"""

from __future__ import annotations

from collections import Counter

from sttd.errors import LedgerError
from sttd.job import State
from sttd.ledger.connect import translated
from sttd.ledger.past.records import STATES, Sample, Sum, buckets
from sttd.ledger.past.tables import SAMPLES, SUMS
from sttd.ledger.questions import Questions

_VERSION = 15  # the first version of the ledger that has all that is read here
_SOME = 5000  # values
_MOST = 1e9  # seconds of audio, or of a worker, that a job can have: a damaged row may say anything

_ENDED = "FROM jobs INDEXED BY jobs_finished WHERE state = ? AND finished_at >= ? AND finished_at < ?"
_TOTALS = f"""
    SELECT count(*), total(CASE WHEN audio_seconds BETWEEN 0 AND {_MOST} THEN audio_seconds END),
    total(CASE WHEN service BETWEEN 0 AND {_MOST} THEN service END) {_ENDED}
"""
_WAITS = f"SELECT finished_at - created_at {_ENDED} AND typeof(created_at) = 'real'"
_FALLBACKS = """
    SELECT count(*) FROM jobs INDEXED BY jobs_fell_back
    WHERE fallback_reason IS NOT NULL AND state = 'done' AND finished_at >= ? AND finished_at < ?
"""
_SAMPLED = """
    SELECT ?, ?, min(memory_low), max(memory_high), max(level), max(queued), sum(load_timeouts), sum(resumes)
    FROM samples WHERE start >= ? AND start < ?
    AND (typeof(memory_low), typeof(memory_high)) IN (VALUES ('real', 'real'), ('null', 'null'))
    AND (typeof(level), typeof(queued), typeof(load_timeouts), typeof(resumes))
        = ('integer', 'integer', 'integer', 'integer')
    AND min(level, queued, load_timeouts, resumes) >= 0 AND max(queued, load_timeouts, resumes) < 1e12
"""
_TIMEOUTS = """
    SELECT count(*) FROM attempts INDEXED BY attempts_timed_out
    WHERE cause = 'timeout' AND ended_at >= ? AND ended_at < ?
"""


class History(Questions):
    """Every method may raise LedgerError."""

    def require_history(self) -> None:
        """Raises LedgerError where no daemon of this version has opened the ledger yet."""
        with translated(self.path):
            version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version < _VERSION:
            raise LedgerError(f"ledger {self.path} is of an older sttd: restart the daemon, which brings it up to date")

    def ended_between(self, since: float, until: float) -> Sum:
        """What became of the jobs that ended in a span of time (UTC seconds), forgotten ones included."""
        span = (since, until)
        with translated(self.path):
            ended = {state: self._db.execute(_TOTALS, (state, *span)).fetchone() for state in STATES}
            waits = self._waits(span)
            found = Sum(
                int(since),
                int(until - since),
                Counter({state: count for state, (count, _, _) in ended.items() if count}),
                ended[State.DONE][1],
                ended[State.DONE][2],
                self._db.execute(_FALLBACKS, span).fetchone()[0],
                self._db.execute(_TIMEOUTS, span).fetchone()[0],
                waits,
            )
            for forgotten in SUMS.between(self._db, *span):
                found = found.joined(forgotten)
        return found

    def _waits(self, span: tuple[float, float]) -> Counter[int]:
        found: Counter[int] = Counter()
        cursor = self._db.execute(_WAITS, (State.DONE, *span))
        while rows := cursor.fetchmany(_SOME):
            found += buckets([wait for (wait,) in rows])
        return found

    def sampled_between(self, since: float, until: float) -> Sample | None:
        """All samples that begin in a span of time (UTC seconds), joined to one; None: there are none."""
        with translated(self.path):
            row = self._db.execute(_SAMPLED, (int(since), int(until - since), since, until)).fetchone()
        return None if row[4] is None else SAMPLES.read(row)
