"""The ledger for another process that follows it, and must notice every change since its last look.

Times in rows are no help, because clocks are set back. Instead the follower compares the jobs without a transcript, which are
few or wait, with those of its last look: so it sees every change, however long ago that was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sttd.job import Job, State
from sttd.ledger.connect import translated
from sttd.ledger.store import Ledger

OPEN = ""  # what `standing` says of a job that has not ended
_OPEN = "SELECT id FROM jobs INDEXED BY jobs_by_state WHERE state IN ('queued', 'running', 'committing')"
_ENDED = "SELECT id, state, attempt, finished_at FROM jobs WHERE state IN ('failed', 'cancelled', 'vanished')"


class Followed(Ledger):
    """To be opened with `open_readonly`. Every method may raise LedgerError."""

    @contextlib.contextmanager
    def moment(self) -> Iterator[None]:
        """All queries inside see the ledger as of one moment."""
        with translated(self.path):
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            with translated(self.path):
                self._db.execute("ROLLBACK")

    def standing(self) -> dict[int, str]:
        """For each job that is not done: `OPEN`, or a text that is different after each end."""
        with translated(self.path):
            found = {number: OPEN for (number,) in self._db.execute(_OPEN)}
            ended = self._db.execute(_ENDED)
            found |= {number: f"{state} {attempt} {at}" for number, state, attempt, at in ended}
        return found

    def done_after(self, number: int) -> Iterator[Job]:
        """Done jobs with numbers over `number`, oldest first."""
        while page := self.page(State.DONE, number, 500):
            yield from page
            number = page[-1].id

    def newest(self) -> int:
        """The largest number of a job; 0 where there is none."""
        with translated(self.path):
            return int(self._db.execute("SELECT coalesce(max(id), 0) FROM jobs").fetchone()[0])

    def newest_before(self, utc: float) -> int:
        """The largest number of a job that existed at a time; 0 where there was none."""
        with translated(self.path):
            query = "SELECT coalesce(max(id), 0) FROM jobs WHERE created_at <= ?"
            return int(self._db.execute(query, (utc,)).fetchone()[0])
