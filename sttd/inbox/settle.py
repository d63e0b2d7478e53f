"""When has a file settled, and when is it gone? Pure: every look and its time are passed in.

The rule: a file has settled when its size and its modification time have not changed for `settle` seconds over at
least two looks. Then the edge cases:

- `settle` 0 takes a file at first sight.
- Where an event says that the writer closed the file or renamed it in (`final`), `settle_closed` is enough. A later
  change, or word that it is being written, takes this back.
- Only differences count. A modification time in the future or in 1970 is as good as any; the clock that measures
  the quiet is the caller's monotonic one.
- A file that was told and is unchanged is not told again. One that changed, or was replaced under its name, settles
  again and is told again.
- One that keeps changing after it was told is looked at less and less often: the quiet asked for doubles with each
  change, up to `SLOWEST`. A quiet of that length forgives all.
- A known file is gone when two looks, a while apart, did not find it. One that is back by then was not away; one
  that comes back later is told again.
- What could not be looked at is neither settled nor gone: it is looked at again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sttd.job import Identity

SLOWEST = 600.0  # seconds: the longest quiet asked of a file that keeps changing (unless `settle` is longer)
SHORTEST = 1.0  # seconds: where waits must grow or two looks differ, and `settle` is 0
_WORD = (1 << 64) - 1


@dataclass(slots=True)
class _Settling:
    """A file under observation. Times are the caller's monotonic seconds."""

    version: int  # as `_pack`ed
    since: float  # of the first look that found it so
    due: float  # of the next look
    final: bool


@dataclass(frozen=True, slots=True)
class _Unrest:
    """Changes of a file after it had been told."""

    changes: int
    latest: float  # when the last one was seen


class Tracker:
    """What is known of each file. 100,000 told ones take some 20 MB: a path and a number each."""

    def __init__(self, settle: float, settle_closed: float) -> None:
        self._settle = settle
        self._closed = min(settle, settle_closed)
        self._gap = max(settle, SHORTEST)  # between the two looks that make a file gone
        self._settling: dict[str, _Settling] = {}
        self._told: dict[str, int] = {}  # as `_pack`ed
        self._expected: set[str] = set()
        self._unrest: dict[str, _Unrest] = {}
        self._absent: dict[str, float] = {}  # when to look again
        self._next = math.inf  # nothing is due before

    @property
    def settling(self) -> int:
        """How many files are under observation, and how many may be gone."""
        return len(self._settling) + len(self._absent)

    def known(self) -> Iterator[str]:
        """The files whose absence means something: told or expected ones."""
        yield from self._told
        yield from (rel for rel in self._expected if rel not in self._told)
        yield from (rel for rel in self._unrest if rel not in self._told and rel not in self._expected)

    def is_known(self, rel: str) -> bool:
        return rel in self._told or rel in self._expected or rel in self._unrest

    def expect(self, rels: Iterable[str]) -> None:
        """Files that the ledger's waiting jobs are about: known from the start, and told when they have settled."""
        self._expected.update(rels)

    def forget(self, rel: str) -> None:
        """It was taken away on purpose: no longer known, and new when it is seen again."""
        self._expected.discard(rel)
        for table in (self._settling, self._told, self._unrest, self._absent):
            table.pop(rel, None)

    def see(self, rel: str, identity: Identity, now: float, *, final: bool = False) -> bool:
        """A look found the file so. True: it has settled, and is to be told now."""
        self._absent.pop(rel, None)
        version = _pack(identity)
        if self._told.get(rel) == version:
            return False
        entry = self._settling.get(rel)
        if entry is None or entry.version != version:
            return self._changed(rel, version, now, final=final)
        entry.final = entry.final or final
        due = entry.since + self._wait(rel, entry)
        if now >= due:  # the same sum as in `due`: rounded otherwise, it could be due and never have settled
            return self._tell(rel, version)
        self._set_due(entry, due)
        return False

    def written(self, rel: str, now: float) -> bool:
        """An event says that it is being written, so it is not closed after all. True: it is worth a look."""
        entry = self._settling.get(rel)
        if entry is None:
            return True
        entry.final = False
        self._set_due(entry, max(entry.due, entry.since + self._wait(rel, entry), now))
        return False

    def is_restless(self, rel: str, now: float) -> bool:
        """It keeps changing and is not due yet: events about it are no reason to look."""
        entry, unrest = self._settling.get(rel), self._unrest.get(rel)
        return entry is not None and unrest is not None and unrest.changes > 1 and now < entry.due

    def miss(self, rel: str, now: float) -> bool:
        """A look did not find it. True: it is known, and gone now that the second look says so too."""
        if not self.is_known(rel):
            self._settling.pop(rel, None)
            self._absent.pop(rel, None)
            return False
        again = self._absent.setdefault(rel, now + self._gap)
        if now < again:
            self._next = min(self._next, again)
            return False
        self.forget(rel)
        return True

    def doubt(self, rel: str, now: float) -> None:
        """A look could not be had, or says nothing in an inbox that is not the one it was: try again later."""
        self._absent.pop(rel, None)
        entry = self._settling.get(rel)
        if entry is not None:
            self._set_due(entry, now + max(self._wait(rel, entry), SHORTEST))

    def drop(self, rel: str) -> None:
        """A file that was never told is not there (any more)."""
        if not self.is_known(rel):
            self._settling.pop(rel, None)

    def doubt_absence(self) -> None:
        """The inbox was away in between: a first look that found nothing no longer counts."""
        self._absent.clear()

    def due(self, now: float) -> list[str]:
        """The files to look at now."""
        if now < self._next:
            return []
        due = [rel for rel, entry in self._settling.items() if entry.due <= now]
        due += [rel for rel, again in self._absent.items() if again <= now]
        times = [entry.due for entry in self._settling.values() if entry.due > now]
        self._next = min((*times, *(again for again in self._absent.values() if again > now)), default=math.inf)
        if due:
            self._next = min(self._next, now + SHORTEST)  # should one of them not be looked at after all
        return list(dict.fromkeys(due))

    def next_due(self) -> float:
        """Nothing is to be looked at before this time (`due` may still find nothing then); infinity: nothing at all."""
        return self._next if self.settling else math.inf

    def _changed(self, rel: str, version: int, now: float, *, final: bool) -> bool:
        """It is new, or not as it was: the quiet starts here."""
        unrest = self._unrest.get(rel)
        was_told = self._told.pop(rel, None) is not None
        if unrest is None or (was_told and now - unrest.latest >= SLOWEST):
            if was_told:
                self._unrest[rel] = _Unrest(1, now)
        else:
            self._unrest[rel] = _Unrest(unrest.changes + 1, now)
        entry = _Settling(version, now, now, final)
        wait = self._wait(rel, entry)
        if wait == 0:
            return self._tell(rel, version)
        self._settling[rel] = entry
        self._set_due(entry, now + wait)
        return False

    def _tell(self, rel: str, version: int) -> bool:
        self._settling.pop(rel, None)
        self._expected.discard(rel)
        self._told[rel] = version
        return True

    def _wait(self, rel: str, entry: _Settling) -> float:
        """Seconds of quiet asked of it."""
        base = self._closed if entry.final else self._settle
        unrest = self._unrest.get(rel)
        if unrest is None or unrest.changes <= 1:
            return base
        grown: float = max(base, SHORTEST) * 2 ** min(unrest.changes - 1, 16)
        return max(base, min(grown, SLOWEST))

    def _set_due(self, entry: _Settling, due: float) -> None:
        entry.due = due
        self._next = min(self._next, due)


def _pack(identity: Identity) -> int:
    """An identity as one number, only ever compared: a third of the memory of the object."""
    return identity.size << 64 | identity.mtime_ns & _WORD
