"""Queries about all jobs that need only an index, because a monitor runs them every few seconds."""

from __future__ import annotations

from sttd.job import ENDED, State
from sttd.ledger.connect import translated
from sttd.ledger.questions import Questions

_OPEN = ", ".join(f"'{state}'" for state in State if state not in ENDED)


class Gauges(Questions):
    """Every method may raise LedgerError."""

    def open_jobs(self) -> set[int]:
        """The numbers of all jobs that have not ended."""
        query = f"SELECT id FROM jobs INDEXED BY jobs_by_state WHERE state IN ({_OPEN})"
        with translated(self.path):
            return {number for (number,) in self._db.execute(query)}

    def newest(self) -> int:
        """The highest number that a job has; 0: there are none."""
        with translated(self.path):
            return int(self._db.execute("SELECT coalesce(max(id), 0) FROM jobs").fetchone()[0])

    def waits_since(self) -> float | None:
        """When the longest-waiting job was queued, in UTC seconds; None: no job waits."""
        query = "SELECT min(queued_at) FROM jobs INDEXED BY jobs_by_age WHERE state = 'queued'"
        with translated(self.path):
            (found,) = self._db.execute(query).fetchone()
        return found if isinstance(found, float) else None
