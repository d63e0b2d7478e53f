"""Upkeep: what is old is removed from archive/, failed/ and the ledger, and the manifest is kept short.

A round is a generator. It yields what takes time, to be done off the loop, and goes on with the result on the loop, where
each step handles few jobs. Nothing that a job still needs is removed: the ledger is asked again in the step that removes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from loguru import logger

from sttd.config import Retention
from sttd.daemon.compaction import Compaction
from sttd.daemon.context import Context
from sttd.errors import LedgerCorrupt, SttdError
from sttd.fs import moves
from sttd.job import State
from sttd.ledger import WORK, Ledger
from sttd.ledger.facts import CLOCK
from sttd.outbox import retention
from sttd.outbox.retention import Choice, Kept
from sttd.rules.clock import DAY, HOUR, ClockState, WallClock
from sttd.rules.due import growing
from sttd.text import counted, printable

INTERVAL = 600.0  # seconds between two rounds
ROWS = 100  # jobs or files in one step on the loop
PATIENCE = 60.0  # seconds after which a command has read its answer
FOUND = 10_000  # jobs that are looked for at once

Steps = Generator[Callable[[], Any], Any, None]  # yields what is to be done off the loop


def boot_time() -> float:
    """Seconds since the machine started, those of its sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Upkeep:
    """One round at a time."""

    def __init__(self, context: Context, boot: Callable[[], float] = boot_time) -> None:
        self._context = context
        self._boot = boot
        self._round: Steps | None = None
        self._compaction = Compaction(context)
        self._clock: WallClock | None = None
        self._stored_clock, self._ended_then = -float("inf"), -1
        self._failed_first: float | None = None  # when a step of a round failed; None: the latest one went well
        self._walks: dict[str, tuple[float, int]] = {}  # by folder: when it is due (UTC), ended jobs at the last one

    @property
    def interval(self) -> float:
        """Seconds between two rounds: fewer while a step of them fails, and more again the longer it does."""
        if self._failed_first is None:
            return INTERVAL
        failing = self._context.clock() - self._failed_first
        return min(INTERVAL, growing(failing, self._context.config.pool.machine_wait, INTERVAL))

    def begin(self) -> None:
        """Start a round; nothing happens while one is under way, and for `sttd transcribe`, whose folders go away anyway."""
        if self._context.inbox is not None and self._round is None:
            self._round = self._steps()
            self._go_on(None)

    def _go_on(self, result: Any) -> None:
        self._advance(lambda steps: steps.send(result))

    def _failed(self, error: OSError | SttdError) -> None:
        self._advance(lambda steps: steps.throw(error))

    def _advance(self, resume: Callable[[Steps], Callable[[], Any]]) -> None:
        """On the loop: go on with the round, up to the next work that is to be done off the loop."""
        steps = self._round
        if steps is None or self._context.stopping:
            self._round = None
            return
        try:
            work = resume(steps)
        except StopIteration:
            self._round = None
        except BaseException:
            self._round = None
            raise
        else:
            self._context.work.upkeep.post("looks for what is old", _without_fault(work), self._go_on, self._failed)

    def _steps(self) -> Steps:
        limits, paths = self._context.config.retention, self._context.config.paths
        first, self._failed_first = self._failed_first, None
        if limits != Retention() and self._believes_clock():
            yield from self._try("old jobs cannot be forgotten", self._forget_jobs(limits.ledger_age))
            for folder, age, size in (
                (paths.archive, limits.archive_age, limits.archive_size),
                (paths.failed, limits.failed_age, limits.failed_size),
            ):
                yield from self._try(f"what is old in {folder} cannot be removed", self._thin(str(folder), age, size))
        yield from self._try("the manifest cannot be rewritten", self._compaction.steps())
        if self._failed_first is not None:
            self._failed_first = first or self._failed_first

    def _try(self, what: str, steps: Steps) -> Steps:
        """Do a step of the round. A failure is logged once and tried again in the next round; the other steps go on."""
        troubles = self._context.troubles
        try:
            yield from steps
        except LedgerCorrupt:
            raise
        except (OSError, SttdError) as error:
            self._failed_first = self._failed_first or self._context.clock()
            text = f"{what}: {printable(str(error))}"
            if troubles.begin(what, text):
                logger.warning("{}; it is tried again", text)
        else:
            troubles.end(what)

    def _believes_clock(self) -> bool:
        """Whether the clock may decide what is old. Says so once where it may not."""
        now, ledger = self._context.utc(), self._context.ledger
        if self._clock is None:
            self._clock = WallClock(self._known_clock(), self._boot())
        before = self._clock.known
        news, believed = self._clock.look(now, self._boot())
        if news:
            logger.warning(
                "the clock is {:.1f} days ahead of the last time that is known to be right: nothing is removed as old "
                "before it has been so for a day",
                self._clock.ahead / DAY,
            )
        # an idle disk may sleep: a time that is a few hours old serves as well
        is_recent = 0 <= now - self._stored_clock < 6 * HOUR and self._ended() == self._ended_then
        if news or (before.doubted is not None and believed) or not is_recent:
            ledger.set_fact(CLOCK, dataclasses.asdict(self._clock.known))
            self._stored_clock, self._ended_then = now, self._ended()
        return believed

    def _known_clock(self) -> ClockState:
        """As an earlier run left it; where none did, by the newest job."""
        stored = self._context.ledger.fact(CLOCK)
        if stored is not None and stored["believed"] is not None:
            return ClockState(stored["believed"], stored["doubted"])
        newest = self._context.ledger.jobs(limit=1)
        times = [time for job in newest for time in (job.created_at, job.started_at, job.finished_at) if time]
        return ClockState(max(times, default=self._context.utc()))

    def _ended(self) -> int:
        """How many jobs have ended, those that were forgotten since included."""
        counts = self._context.ledger.counts()
        return counts[State.DONE] + counts[State.FAILED] + self._context.ledger.forgotten

    def _forget_jobs(self, age: float) -> Steps:
        """Forget jobs with all that has their names: rows, lines of the manifest, checkpoints, damaged copies."""
        if age == float("inf"):
            return
        context, ledger = self._context, self._context.ledger
        before, total, state = context.utc() - age, 0, context.config.paths.state
        while True:
            found = yield lambda: _ask(ledger.path, lambda reader: reader.forgettable(before, FOUND))
            gone = 0
            for start in range(0, len(found), ROWS):
                jobs = ledger.forget(found[start : start + ROWS], before, context.utc())
                gone += len(jobs)
                yield lambda jobs=jobs: _remove_checkpoints(state / WORK, jobs)  # type: ignore[misc]
            total += gone
            if len(found) < FOUND or not gone:
                break
        ledger.forget_answers(context.utc() - PATIENCE)
        copies = yield lambda: remove_leftovers(ledger.path, state / WORK, before)
        if total:
            yield lambda: empty_wal(ledger.path)
            logger.info("{} forgotten: ended longer ago than retention.ledger_age", counted(total, "job"))
        if copies:
            logger.info("{} of what was damaged removed: older than retention.ledger_age", counted(copies, "copy"))

    def _thin(self, folder: str, age: float, size: float) -> Steps:
        """Remove old sources from a folder. It is looked through only when something in it may have become old."""
        ledger, now, ended = self._context.ledger, self._context.utc(), self._ended()
        due, before = self._walks.get(folder, (now, ended))
        if age == size == float("inf") or (now < due and (size == float("inf") or ended == before)):
            return

        def choose() -> Choice:
            needed = _ask(ledger.path, Ledger.needed_sources)
            return retention.choose(retention.walk(folder), now, age, size, needed)

        choice = yield choose
        removed: list[Kept] = []
        for start in range(0, len(choice.surplus), ROWS):
            some = choice.surplus[start : start + ROWS]
            # first the ledger forgets where they are, so that nobody can ask to do their jobs again
            free = set(ledger.give_up_sources([file.path for file in some]))
            removed += yield lambda some=some, free=free: retention.remove(file for file in some if file.path in free)  # type: ignore[misc]
        self._walks[folder] = (choice.again, ended)
        if removed:
            figure = sum(file.size for file in removed) / 2**20
            logger.info(
                "{} removed from {}, as [retention] says: {:.1f} MiB", counted(len(removed), "file"), folder, figure
            )


def _without_fault(work: Callable[[], Any]) -> Callable[[], Any]:
    """Off the loop: a fault in sttd itself ends one step of the round, and not all rounds to come."""

    def guarded() -> Any:
        try:
            return work()
        except (OSError, SttdError):
            raise
        except Exception as error:
            logger.exception("a fault in sttd, while looking for what is old")
            raise SttdError(f"a fault in sttd: {type(error).__name__}: {error}") from error

    return guarded


def _ask(path: Path, question: Callable[[Ledger], Any]) -> Any:
    """Ask the ledger off the loop, with a connection that only reads."""
    with contextlib.closing(Ledger.open_readonly(path)) as reader:
        return question(reader)


def _remove_checkpoints(work: Path, jobs: list[int]) -> None:
    for number in jobs:
        moves.remove_tree(str(work / str(number)))


def remove_leftovers(ledger: Path, work: Path, before: float) -> int:
    """Remove what has names of forgotten jobs and is in no row: checkpoints that a killed daemon had still to remove, and
    damaged ledgers and checkpoints that were set aside; all older than `before`. Returns how many of the latter.
    """
    old = [path for path in [*work.glob("*"), *ledger.parent.glob(f"{ledger.name}.corrupt-*")] if _is_old(path, before)]
    copies = [path for path in old if ".corrupt-" in path.name]
    numbers = [int(path.name) for path in old if path.name.isdecimal() and len(path.name) < 19]  # as SQLite counts
    _remove_checkpoints(work, _ask(ledger, lambda reader: reader.missing(numbers)))
    for path in copies:
        path.unlink(missing_ok=True)
    return len(copies)


def _is_old(path: Path, before: float) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return path.lstat().st_mtime < before
    return False


def empty_wal(ledger: Path) -> None:
    """Move the WAL into the ledger and truncate it, because its older pages have names of forgotten jobs."""
    db = sqlite3.connect(ledger, timeout=1, isolation_level=None)
    try:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:  # somebody reads it: the next commits write over it
        logger.debug("the WAL of {} cannot be cut off: {}", ledger, error)
    finally:
        db.close()
