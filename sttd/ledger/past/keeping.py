"""The samples that the daemon stores of itself, for reports."""

from __future__ import annotations

from contextlib import AbstractContextManager

from sttd.ledger.past.reading import History
from sttd.ledger.past.records import Sample
from sttd.ledger.past.tables import SAMPLES, SUMS


class Remembered(History):
    """The part of `Ledger` that stores them. Every method may raise LedgerError."""

    def transaction(self) -> AbstractContextManager[None]:
        """See `Ledger`."""
        raise NotImplementedError

    def add_sample(self, sample: Sample, now: float) -> None:
        """Store a sample, and thin what is old at `now` (UTC seconds): thinning alone is no reason to wake a sleeping disk."""
        with self.transaction():
            SAMPLES.add(self._db, [sample])
            SAMPLES.thin(self._db, now)
            SUMS.thin(self._db, now)
