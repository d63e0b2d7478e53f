"""When the manifest is rewritten, and how a rewritten one takes the old one's place (see ledger/manifest/compaction.py)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from loguru import logger

from sttd.daemon.context import Context
from sttd.job import State
from sttd.ledger.facts import FORGOTTEN
from sttd.ledger.manifest.compaction import catch_up, compact, hand_over, is_due

_HAVE_LINES = (State.COMMITTING, State.DONE, State.FAILED, State.CANCELLED)


class Compaction:
    """Rewrites the manifest at the start and when it has grown, never on the loop."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._needed = 0.0  # bytes, as of the latest rewriting
        self._looked = False  # since the start

    def steps(self) -> Generator[Callable[[], Any], Any, None]:
        """Rewrite the manifest if that is due. Yields what is to be done off the loop.

        Raises:
            OSError, LedgerError: there is no room, or it cannot be read; the old one goes on.
        """
        ledger = self._context.ledger
        names_for = self._names_for()
        manifest, forgotten, size = ledger.manifest, ledger.forgotten, ledger.manifest.size()
        if not size or not is_due(size, self._needed or self._estimate(), names_for):
            return
        compacted = yield lambda: compact(manifest.path, size)
        with manifest.path.open("rb") as old:
            while not hand_over(manifest, compacted):
                size = manifest.size()
                compacted = yield lambda compacted=compacted, size=size: catch_up(manifest.path, compacted, size)  # type: ignore[misc]
            yield old.close  # off the loop: freeing the blocks of a large file takes a while
        self._needed = float(compacted.needed)
        if names_for is not None and ledger.forgotten == forgotten:
            ledger.set_fact(FORGOTTEN, None)
        if compacted.bad_lines:
            logger.warning("{} lines of the manifest were no good, and are left out", compacted.bad_lines)

    def _estimate(self) -> float:
        """About how many bytes the lines that are still needed take."""
        counts = self._context.ledger.counts()
        return sum(counts[state] for state in _HAVE_LINES) * self._context.ledger.manifest.mean_line()

    def _names_for(self) -> float | None:
        """For how long the manifest has had names of forgotten jobs; None: it has none, or is not up to date yet."""
        ledger = self._context.ledger
        since = ledger.fact(FORGOTTEN)
        if since is None or not ledger.is_recorded:
            return None
        first, self._looked = not self._looked, True
        return float("inf") if first else self._context.utc() - since
