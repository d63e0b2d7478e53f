"""Keeps the index up to date with the ledger and the results.

No progress is stored besides the index itself: the work to do is the difference between it and the ledger. So it does not
matter where the process was killed, or what happened while it did not run.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from sttd.errors import LedgerError
from sttd.fs.folder import split
from sttd.inboxes import places_of_result
from sttd.ledger import Ledger
from sttd.ledger.results import Result
from sttd.search.file import IndexDamaged, IndexTrouble
from sttd.search.index import Entry, Index, Offered, Recording
from sttd.search.transcript import NotATranscript, Signature, read
from sttd.text import sentence

LOOK = 2.0  # seconds between two looks for jobs that ended
CHECK = 60.0  # seconds between two looks at every result, for those that a person deleted or changed
OFFER = 60.0  # seconds between two readings of what can be filtered by
TIDY = 3600.0  # seconds between two merges of the whole index, which remove the words of deleted texts from its file
_SHARE = 20  # it rests this many times as long as a look took: a million jobs take a twentieth of a core, about
_LONGEST = 30.0  # seconds that it rests at most
_SPELL = 3.0  # seconds that one step takes, about
_BATCH = 200  # recordings in one transaction
_PAGE = 500  # results that are looked at in one go


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many recordings that are done can be searched."""

    searchable: int = 0
    waiting: int = 0  # are still to be read
    without: int = 0  # have no JSON result, or none that can be read


class Follower:
    """The index's one writer.

    Args:
        index: its file; made where there is none. The folder exists.
        ledger: the daemon's ledger; there may be none yet.
        folders: of the configuration, below which results lie. Nothing outside of them is read, and no link is followed.
        transcripts: the one of these folders to which all results may have been moved since they were written.

    Raises:
        AlreadyRunning: another process writes this index.
        IndexTrouble: the index cannot be opened.
    """

    def __init__(self, index: Path, ledger: Path, folders: Sequence[Path], transcripts: Path | None = None) -> None:
        self._index = Index(index)
        self._ledger = ledger
        self._folders, self._transcripts = folders, transcripts
        self._remake = threading.Event()
        self._known = self._index.jobs()
        self._seen: tuple[Signature | None, ...] | None = None  # the ledger's, when nothing was left to do
        self._check_after = 0  # number of the last job that the current check has looked at
        self._next_check = self._next_tidy = 0.0  # monotonic
        self._check_took = 0.0  # seconds, so far
        self._next_offer = 0.0  # monotonic
        self.coverage = Coverage()
        self.offered = Offered()  # as of a minute ago

    def ask_to_remake(self) -> None:
        """The index is damaged: have it made anew. From any thread."""
        self._remake.set()

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop` is set. A result on a hung mount blocks it: run it in a daemon thread."""
        told = ""
        while not stop.is_set():
            began = time.thread_time()
            try:
                more = self.step()
                self._offer()
                told = ""
            except (LedgerError, IndexTrouble, OSError) as error:
                more = False
                if str(error) != told:
                    told = str(error)
                    logger.warning("search: {}", sentence(told))
            if not more:
                stop.wait(min(max(LOOK, _SHARE * (time.thread_time() - began)), _LONGEST))

    def close(self) -> None:
        self._index.close()

    def catch_up(self, tell: Callable[[Coverage], None]) -> None:
        """Do all that there is to do; `tell` is called with the progress.

        For a command, which is to answer soon: the index is not merged (see `tidy`), and results are not checked if the
        latest check is recent.

        Raises:
            LedgerError, IndexTrouble: as `step`.
        """
        self._next_tidy = math.inf
        self._next_check = time.monotonic() + _until_check(*self._index.checked(), time.time())
        while self.step():
            tell(self.coverage)

    def tidy(self) -> None:
        """Merge the index for some seconds, if texts were removed from it. Raises IndexTrouble."""
        self._next_tidy = 0.0
        self._tidy(time.monotonic() + _SPELL)

    def step(self) -> bool:
        """Do what there is to do, for some seconds at most. Returns whether there is more.

        Raises:
            LedgerError: the ledger cannot be read.
            IndexTrouble: the index cannot be written.
        """
        try:
            if self._remake.is_set() or self._index.is_lost:
                self._begin_anew()
            return self._follow()
        except IndexDamaged as error:
            logger.warning("{}: it is made anew", sentence(str(error)))
            self._remake.set()  # for the next step, if the disk has no room now
            self._begin_anew()
            return True

    def _begin_anew(self) -> None:
        self._index.remake()
        self._remake.clear()
        self._known.clear()
        self._seen = None
        self._check_after = 0

    def _follow(self) -> bool:
        end, checking = time.monotonic() + _SPELL, time.monotonic() >= self._next_check
        seen = self._ledger_as_it_is()
        if seen is None or (seen == self._seen and not checking):
            return self._tidy(end)
        self._seen = None
        with contextlib.closing(Ledger.open_readonly(self._ledger)) as ledger:
            done = ledger.done()
            gone, new = sorted(self._known.difference(done)), sorted(set(done) - self._known)
            while gone and time.monotonic() < end:
                self._remove(gone[-_BATCH:])
                del gone[-_BATCH:]
            while new and time.monotonic() < end:  # the newest are found first
                self._take(ledger, new[-_BATCH:])
                del new[-_BATCH:]
            while checking and time.monotonic() < end:
                checking = self._check(ledger)
            self._count(len(new))
        if gone or new:
            return True
        self._seen = seen
        return checking or self._tidy(end)

    def _ledger_as_it_is(self) -> tuple[Signature | None, ...] | None:
        """Signatures of the ledger and its WAL: each change of the ledger changes them. None: there is no ledger."""
        files = [self._ledger, self._ledger.with_name(f"{self._ledger.name}-wal")]
        found = tuple(map(_signature, files))
        return None if found[0] is None else found

    def _tidy(self, end: float) -> bool:
        """Merge the index, if texts were removed from it. Returns whether there is more to do."""
        if time.monotonic() < self._next_tidy:
            return False
        while time.monotonic() < end:
            if not self._index.tidy():
                self._next_tidy = time.monotonic() + TIDY
                return False
        return True

    def _remove(self, numbers: Sequence[int]) -> None:
        with self._index.transaction():
            for number in numbers:
                self._index.remove(number)
        self._known.difference_update(numbers)

    def _take(self, ledger: Ledger, numbers: Sequence[int]) -> None:
        with self._index.transaction():
            for result in ledger.results(numbers[0] - 1, numbers[-1]):
                if result.job not in self._known:
                    self._put(recording_of(result))
        self._known.update(numbers)

    def _check(self, ledger: Ledger) -> bool:
        """Look at some results, for those that were deleted or changed. Returns whether there are more."""
        began = time.monotonic()
        results = ledger.results(self._check_after, limit=_PAGE)
        if not results:
            self._check_after = 0
            self._index.note_check(time.time(), self._check_took)
            self._next_check = time.monotonic() + _pause(self._check_took)
            self._check_took = 0.0
            return False
        entries = self._index.page(self._check_after, results[-1].job)
        changed = [each for each in map(recording_of, results) if self._has_changed(each, entries.get(each.job))]
        if changed:
            with self._index.transaction():
                for recording in changed:
                    self._put(recording, entries[recording.job])
        self._check_after = results[-1].job
        self._check_took += time.monotonic() - began
        return True

    def _has_changed(self, recording: Recording, entry: Entry | None) -> bool:
        """Whether a recording or its result differs from the index. One that the index does not have is left to the next look."""
        if entry is None:
            return False
        if entry.recording != recording:
            return True
        seen = map(_signature, map(Path, self._places(recording)))
        signature = next((each for each in seen if each is not None), None)
        return entry.signature != signature and not (entry.signature is None and self._index.is_taken(recording))

    def _put(self, recording: Recording, entry: Entry | None = None) -> None:
        """Put it into the index, which has `entry` of it so far. A result that still cannot be read is not written again."""
        if not recording.path or self._index.is_taken(recording):
            self._index.put(recording)
            return
        try:
            signature, said = read(self._places(recording), self._folders)
        except (OSError, NotATranscript):  # deleted, or unreadable now: the next check looks again
            if entry != Entry(recording, None):
                self._index.put(recording)
        else:
            self._index.put(recording, signature, said)

    def _places(self, recording: Recording) -> list[str]:
        """Where its result may lie: where it was written, or below today's folder if all results were moved there."""
        written = os.fsdecode(recording.path)
        places: Sequence[str] = (written,) if written else ()
        if places and self._transcripts is not None:
            places = places_of_result(written, os.fsdecode(recording.source), self._transcripts)
        return [each for each in places if any(split(os.fspath(folder), each) for folder in self._folders)]

    def _offer(self) -> None:
        if time.monotonic() >= self._next_offer:
            self.offered = self._index.offered()
            self._next_offer = time.monotonic() + OFFER

    def _count(self, waiting: int) -> None:
        searchable = self._index.searchable()
        self.coverage = Coverage(searchable, waiting, len(self._known) - searchable)


def _pause(took: float) -> float:
    """Seconds between two looks at every result, by how long one takes."""
    return max(CHECK, _SHARE * took)


def _until_check(ended_at: float, took: float, now: float) -> float:
    """Seconds until the next look at every result is due; 0 also if the clock was set back to before the latest one."""
    since = now - ended_at
    return _pause(took) - since if 0 <= since < _pause(took) else 0.0


def recording_of(result: Result) -> Recording:
    """What the index stores about a job that is done."""
    path = next((output for output in result.outputs if output.endswith(".json")), "")
    return Recording(result.job, result.source, result.created_at, result.language or "und", os.fsencode(path))


def _signature(path: Path) -> Signature | None:
    """Of a file; None: it cannot be seen."""
    try:
        return Signature.of(path.lstat())
    except OSError:
        return None
