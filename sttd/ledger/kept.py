"""Queries about recordings that stayed in the inbox when they were done, to recognise them when they are renamed."""

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
        """Done jobs of recordings of the same size under another name: those with the same modification time, else any.

        Recordings that have left the inbox since are included: they may come back under a new name.
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
        """Done jobs with results of recordings of this path, wherever these recordings lie by now.

        Only the newest `MOST`, oldest first: a recorder may use the name every day for years.
        """
        where = f"WHERE source = ? AND state = 'done' AND outputs <> '[]' ORDER BY id DESC LIMIT {MOST}"
        return self._all(f"{SELECT} INDEXED BY jobs_by_source {where}", (os.fsencode(source),))[::-1]

    def done_in_place(self, source: str) -> list[Job]:
        """Done jobs of a path below the inbox whose file was not moved (location IS NULL)."""
        where = "WHERE source = ? AND location IS NULL AND state = 'done'"
        return self._all(f"{SELECT} INDEXED BY jobs_by_source {where}", (os.fsencode(source),))

    def done_with(self, source: str) -> list[Job]:
        """Done jobs of the recording at a path below the inbox, oldest first, redos included."""
        where = f"WHERE source = ? AND {_KEPT} ORDER BY id"
        # the index is named: otherwise SQLite would look at every done job
        return self._all(f"{SELECT} INDEXED BY jobs_by_source {where}", (os.fsencode(source),))
