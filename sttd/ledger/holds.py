"""Jobs that wait because the options of their folder are bad: queued, not begun, and with `CAUSE`.

A folder here is the one that directly contains the recordings, named as in their sources (sttd/inboxes.py); its subfolders
count separately.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from sttd.ledger.connect import translated
from sttd.ledger.kept import Kept
from sttd.ledger.rows import to_row

MOST = 500  # jobs in one step
CAUSE = "configuration"

_HELD = f"state = 'queued' AND cause = '{CAUSE}' AND options_key IS NULL"
_FRESH = "state = 'queued' AND not_before <= 0 AND options_key IS NULL"


class Holds(Kept):
    """The part of `Ledger` that handles them. Every method may raise LedgerError."""

    def transaction(self) -> AbstractContextManager[None]:
        """See `Ledger`."""
        raise NotImplementedError

    def hold_folder(self, folder: str, until: float, why: str) -> None:
        """Make recordings of a folder that could start now wait until `until`; at most `MOST` in one call."""
        # this index leaves out those that are held already, perhaps a hundred thousand
        which, values = _in_folder(folder, f"{_FRESH} AND copy_of IS NULL", "jobs_fresh_by_folder")
        step = f"UPDATE jobs SET not_before = ?, error = ?, cause = '{CAUSE}' WHERE id IN ({which})"
        with self.transaction():
            self._db.execute(step, (until, to_row({"error": why})["error"], *values, MOST))

    def release_folder(self, folder: str) -> bool:
        """Let held recordings of a folder start, at most `MOST` in one call. Returns whether those were all."""
        # this index leaves out those that may start already, perhaps a hundred thousand
        which, values = _in_folder(folder, _HELD, "jobs_held_by_folder")
        step = f"UPDATE jobs SET not_before = 0, error = NULL, cause = NULL WHERE id IN ({which})"
        with self.transaction():
            return self._db.execute(step, (*values, MOST)).rowcount < MOST

    def holds_folder(self, folder: str) -> bool:
        """Whether a recording of a folder is held."""
        which, values = _in_folder(folder, _HELD, "jobs_held_by_folder")
        with translated(self.path):
            return self._db.execute(which, (*values, 1)).fetchone() is not None

    def held(self) -> int:
        """How many recordings are held."""
        with translated(self.path):
            query = f"SELECT count(*) FROM jobs INDEXED BY jobs_held_by_folder WHERE {_HELD}"
            count: int = self._db.execute(query).fetchone()[0]
            return count

    def look_anew(self) -> None:
        """Let every held recording have its turn again, to see whether its options are still bad."""
        with self.transaction():
            self._db.execute(f"UPDATE jobs SET not_before = 0 WHERE not_before > 0 AND {_HELD}")


def _in_folder(folder: str, condition: str, index: str) -> tuple[str, tuple[bytes | int, ...]]:
    """The query for jobs of a folder, and its first values; the condition's values and a limit come behind them."""
    start = os.fsencode(folder if not folder or folder.endswith("/") else f"{folder}/")
    bounds: tuple[bytes, ...] = (start, start[:-1] + b"0") if folder else (start,)
    below = "source >= ? AND source < ?" if folder else "source >= ?"
    itself = "instr(substr(source, ?), x'2f') = 0"
    query = f"SELECT id FROM jobs INDEXED BY {index} WHERE {below} AND {itself} AND {condition} LIMIT ?"
    return query, (*bounds, len(start) + 1)
