"""Questions about recordings that were left in the inbox when they were done: sttd knows them under another name too."""

from __future__ import annotations

import os

from sttd.job import Job
from sttd.ledger.lists import Lists
from sttd.ledger.questions import SELECT

__all__ = ["SELECT", "Kept"]

MOST = 500  # jobs about one path in one question
# the terms of the index jobs_kept
_KEPT = "state = 'done' AND coalesce(location, x'') = x''"


class Kept(Lists):
    """Every method may raise LedgerError."""

    def kept_like(self, job: Job, limit: int) -> list[Job]:
        """Jobs that were done with a recording of the same size under another name; with the same time of change, if any.

        A recording that left the inbox since may be among them: it may come back under a new name.
        """
        where = f"{_KEPT} AND cause IS NULL AND size = ? AND source <> ?"
        source, newest = os.fsencode(job.source), f"ORDER BY id DESC LIMIT {int(limit)}"
        same_time = self._all(
            f"{SELECT} INDEXED BY jobs_kept WHERE {where} AND mtime_ns = ? {newest}", (job.size, source, job.mtime_ns)
        )
        if same_time:
            return same_time
        return self._all(f"{SELECT} INDEXED BY jobs_kept WHERE {where} LIMIT {int(limit)}", (job.size, source))

    def done_for(self, source: str) -> list[Job]:
        """The jobs that were done with recordings of this path and have results, wherever these recordings lie by now.

        The newest ones, oldest first: a recorder may use the name every day for years.
        """
        where = f"WHERE source = ? AND state = 'done' AND outputs <> '[]' ORDER BY id DESC LIMIT {MOST}"
        return self._all(f"{SELECT} INDEXED BY jobs_by_source {where}", (os.fsencode(source),))[::-1]

    def done_in_place(self, source: str) -> list[Job]:
        """The jobs that were done with the file of a path below the inbox, which lies there still as far as is known."""
        where = "WHERE source = ? AND location IS NULL AND state = 'done'"
        return self._all(f"{SELECT} INDEXED BY jobs_by_source {where}", (os.fsencode(source),))

    def done_with(self, source: str) -> list[Job]:
        """The jobs that were done with the recording of a path below the inbox, oldest first: also by a redo."""
        where = f"WHERE source = ? AND {_KEPT} ORDER BY id"
        # the index is named: SQLite would rather look at each job that is done
        return self._all(f"{SELECT} INDEXED BY jobs_by_source {where}", (os.fsencode(source),))
