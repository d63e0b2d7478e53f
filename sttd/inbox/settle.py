"""When has a file settled, and when is it gone? Pure: every look and its time are passed in.

The rule: a file has settled when its size and its modification time have not changed for `settle` seconds over at
least two looks. Then the edge cases:

- `settle` 0 takes a file at first sight.
- Where the latest event says that the writer closed the file or renamed it in, `settle_closed` is enough. A later
  change, or an event that it is being written, takes this back.
- Where the latest event says that the file is being written, its writer still holds it open: a recorder that pauses, an
  upload that stalls. It has settled `patience` seconds after that event, because a close may go unheard (a writer on
  another host). A file that was created and is empty is being written. One that was created and holds data may be a
  hard link, which nobody closes: until it is written to, nothing is known of its writer.
- An empty file is probably about to be written: it settles after `EMPTY` seconds. One that lay there at the start is
  taken like any other.
- If the queue of events overflowed, a close may be lost: files that were being written then are judged by looks alone.
- Only differences count. A modification time in the future or in 1970 is as good as any; the clock that measures
  the quiet is the caller's monotonic one.
- A file is told (reported) once. If it changes, or is replaced under its name, it settles again and is told again.
- One that keeps changing after it was told is looked at less and less often: the quiet that it needs doubles with each
  change, up to `SLOWEST`. After a quiet of that length the count of changes starts anew.
- A known file is gone when two looks, a while apart, did not find it. One that is back by the second look was never gone;
  one that comes back later is told again.
- What could not be looked at is neither settled nor gone: it is looked at again.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sttd.inbox.news import News
from sttd.job import Identity

SLOWEST = 600.0  # seconds: the longest quiet asked of a file that keeps changing (unless `settle` is longer)
SHORTEST = 1.0  # seconds: the shortest wait that can grow, or lie between two looks, where `settle` is less
EMPTY = 300.0  # seconds that an empty file may take to get its first byte (`patience` where that is shorter)
_WORD = (1 << 64) - 1


class _Writer(enum.Enum):
    """What the events say of a file's writer."""

    UNKNOWN = enum.auto()
    AT_WORK = enum.auto()
    DONE = enum.auto()


@dataclass(slots=True)
class _Settling:
    """A file under observation. Times are the caller's monotonic seconds."""

    version: int  # as `_pack`ed
    since: float  # of the first look that found this version
    due: float  # of the next look
    writer: _Writer
    heard: float  # of the latest event that said that it is being written
    at_start: bool  # it lay there when the watch began

    @property
    def is_empty(self) -> bool:
        return self.version >> 64 == 0


@dataclass(frozen=True, slots=True)
class _Unrest:
    """Changes of a file after it was told."""

    changes: int
    latest: float  # when the last one was seen


class Tracker:
    """What is known of each file. 100,000 told ones take some 20 MB: a path and a number each."""

    def __init__(self, settle: float, settle_closed: float, patience: float) -> None:
        self._ask(settle, settle_closed, patience)
        self._settling: dict[str, _Settling] = {}
        self._told: dict[str, int] = {}  # as `_pack`ed
        self._expected: set[str] = set()
        self._unrest: dict[str, _Unrest] = {}
        self._absent: dict[str, float] = {}  # when to look again
        self._next = math.inf  # nothing is due before

    def configure(self, settle: float, settle_closed: float, patience: float) -> None:
        """Use other times, also for the files under observation."""
        before = self._gap
        self._ask(settle, settle_closed, patience)
        for rel, entry in self._settling.items():
            self._set_due(entry, self._settles_at(rel, entry))
        self._absent = {rel: again + self._gap - before for rel, again in self._absent.items()}
        self._next = -math.inf  # `due` finds out

    def _ask(self, settle: float, settle_closed: float, patience: float) -> None:
        self._settle = settle
        self._closed = min(settle, settle_closed)
        self._patience = patience
        self._gap = max(settle, SHORTEST)  # between the two looks that make a file gone

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

    def see(
        self, rel: str, identity: Identity, now: float, news: News | None = None, *, at_start: bool = False
    ) -> bool:
        """A look found the file with this identity. True: it has settled, and is to be told now.

        Args:
            rel: the file.
            identity: as it is.
            now: when.
            news: the event that the look was made for; None: no event, and what is known of the writer stays.
            at_start: nothing can be known of its writer, because the watch had not begun.
        """
        self._absent.pop(rel, None)
        version = _pack(identity)
        if self._told.get(rel) == version:
            return False
        entry = self._settling.get(rel)
        writer = _writer(news, identity, entry)
        if entry is None or entry.version != version:
            heard = now if entry is None or news is not None else entry.heard
            changed = _Settling(version, now, now, writer or _Writer.UNKNOWN, heard, at_start)
            return self._changed(rel, changed, now)
        if writer is not None:
            entry.writer, entry.heard = writer, now
        return self._tell_if_due(rel, entry, now)

    def hear(self, rel: str, news: News, now: float) -> bool:
        """An event about a file. True: look at the file now, and pass the event on to `see`."""
        entry = self._settling.get(rel)
        if entry is None or news is News.LEFT:
            return True
        if news is News.WRITTEN:
            entry.writer, entry.heard = _Writer.AT_WORK, now
        elif self._is_restless(rel):
            if news is News.FINAL:
                entry.writer = _Writer.DONE
        else:
            return True
        self._set_due(entry, max(now, self._settles_at(rel, entry)))
        return news is not News.WRITTEN and entry.due <= now

    def lose_writers(self) -> None:
        """Events were lost, perhaps one that said that a writer has closed its file."""
        for rel, entry in self._settling.items():
            if entry.writer is _Writer.AT_WORK:
                entry.writer = _Writer.UNKNOWN
                self._set_due(entry, self._settles_at(rel, entry))

    def _is_restless(self, rel: str) -> bool:
        """Whether it keeps changing: events about it are no reason to look before it is due."""
        unrest = self._unrest.get(rel)
        return unrest is not None and unrest.changes > 1

    def miss(self, rel: str, now: float) -> bool:
        """A look did not find the file. True: it was known, and this is the second such look, so it is gone."""
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
        """A look failed, or means nothing because the inbox is not the known folder: try again later."""
        self._absent.pop(rel, None)
        entry = self._settling.get(rel)
        if entry is not None:
            self._set_due(entry, now + max(self._quiet(rel, entry), SHORTEST))

    def drop(self, rel: str) -> None:
        """A file is not there (any more): forget it, if it was never told or expected."""
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

    def _changed(self, rel: str, entry: _Settling, now: float) -> bool:
        """It is new, or not as it was: the quiet starts here."""
        unrest = self._unrest.get(rel)
        was_told = self._told.pop(rel, None) is not None
        if unrest is None or (was_told and now - unrest.latest >= SLOWEST):
            if was_told:
                self._unrest[rel] = _Unrest(1, now)
        else:
            self._unrest[rel] = _Unrest(unrest.changes + 1, now)
        self._settling[rel] = entry
        return self._tell_if_due(rel, entry, now)

    def _tell_if_due(self, rel: str, entry: _Settling, now: float) -> bool:
        due = self._settles_at(rel, entry)
        if now < due:  # the same sum as in `due`: rounded otherwise, it could be due and never have settled
            self._set_due(entry, due)
            return False
        self._settling.pop(rel, None)
        self._expected.discard(rel)
        self._told[rel] = entry.version
        return True

    def _settles_at(self, rel: str, entry: _Settling) -> float:
        """When it counts as settled, if it does not change and no more events come."""
        at = entry.since + self._quiet(rel, entry)
        if entry.writer is _Writer.AT_WORK:
            return max(at, entry.heard + self._patience)
        if entry.is_empty and not entry.at_start:
            return max(at, entry.since + min(EMPTY, self._patience))
        return at

    def _quiet(self, rel: str, entry: _Settling) -> float:
        """Seconds without a change that it needs; a writer at work is not considered here."""
        base = self._closed if entry.writer is _Writer.DONE else self._settle
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


def _writer(news: News | None, identity: Identity, before: _Settling | None) -> _Writer | None:
    """What is known of a file's writer after a look that was made for `news`; None: as before the look."""
    if news is None:
        # changed without an event: an earlier event that its writer closed it no longer counts
        changed = before is not None and before.version != _pack(identity)
        return before.writer if before is not None and changed and before.writer is _Writer.AT_WORK else None
    if news is News.FINAL:
        return _Writer.DONE
    at_work = news is News.WRITTEN or (news is News.NEW and identity.size == 0)
    return _Writer.AT_WORK if at_work else _Writer.UNKNOWN
