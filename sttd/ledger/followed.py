"""The ledger for a process that follows it from outside, and has to notice whatever happened between two looks.

No time of the rows is relied on: clocks are set back. What has not come to a transcript is few, or waits; who knows what that
was at the last look sees each change, however long ago it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sttd.job import Job, State
from sttd.ledger.connect import translated
from sttd.ledger.store import Ledger

OPEN = ""  # where a job stands that waits or is worked on
_OPEN = "SELECT id FROM jobs INDEXED BY jobs_by_state WHERE state IN ('queued', 'running', 'committing')"
_ENDED = "SELECT id, state, attempt, finished_at FROM jobs WHERE state IN ('failed', 'cancelled', 'vanished')"


class Followed(Ledger):
    """To be opened with `open_readonly`. Every method may raise LedgerError."""

    @contextlib.contextmanager
    def moment(self) -> Iterator[None]:
        """All questions in it are answered as of one moment."""
        with translated(self.path):
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            with translated(self.path):
                self._db.execute("ROLLBACK")

    def standing(self) -> dict[int, str]:
        """Where each job stands that is not done: a word that is another one after each end."""
        with translated(self.path):
            found = {number: OPEN for (number,) in self._db.execute(_OPEN)}
            ended = self._db.execute(_ENDED)
            found |= {number: f"{state} {attempt} {at}" for number, state, attempt, at in ended}
        return found

    def done_after(self, number: int) -> Iterator[Job]:
        """Jobs that are done, and whose numbers are over `number`, oldest first."""
        while page := self.page(State.DONE, number, 500):
            yield from page
            number = page[-1].id

    def newest(self) -> int:
        """The largest number of a job; 0 where there is none."""
        with translated(self.path):
            return int(self._db.execute("SELECT coalesce(max(id), 0) FROM jobs").fetchone()[0])

    def newest_before(self, utc: float) -> int:
        """The same of those that were there at a time."""
        with translated(self.path):
            query = "SELECT coalesce(max(id), 0) FROM jobs WHERE created_at <= ?"
            return int(self._db.execute(query, (utc,)).fetchone()[0])
