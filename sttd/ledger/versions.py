"""Jobs by their file, wherever that lies by now: for somebody who dropped it, and asks what became of it."""

from __future__ import annotations

import os

from sttd.job import Identity, Job
from sttd.ledger.questions import SELECT, Questions

_BY_SOURCE = f"{SELECT} INDEXED BY jobs_by_source WHERE source = ? AND redo_of IS NULL"


class Versions(Questions):
    """Every method may raise LedgerError. Redos are left out: they are about the same file once more."""

    def about(self, source: str, identity: Identity) -> Job | None:
        """The first job about one version of a file."""
        which = "size = ? AND mtime_ns = ? ORDER BY id LIMIT 1"
        values = (os.fsencode(source), identity.size, identity.mtime_ns)
        return self._first(f"{_BY_SOURCE} AND {which}", values)

    def newest_at(self, source: str) -> Job | None:
        """The newest job of a path."""
        return self._first(f"{_BY_SOURCE} ORDER BY id DESC LIMIT 1", (os.fsencode(source),))
