"""A daemon without threads: its own ledger, intake, results, requests and filing over real files, one step at a time.

The pool and the errands are the two places where the real one waits for others. Here they stand still until a test
says what happens next, so that everything can happen in any order, and a crash between any two steps.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttd import inboxes
from sttd.config import Config, Model, Output, Paths, Pool as PoolSettings, Watched
from sttd.daemon import by_folder, dispatch, intake, requests, results, sweep
from sttd.daemon.context import Context
from sttd.daemon.errands import Errand, FileWork, Finished, Operation
from sttd.daemon.guard import guard
from sttd.daemon.judging import Judging
from sttd.errors import LedgerError, SttdError
from sttd.inbox import Found, Gone
from sttd.job import Identity, State
from sttd.ledger import LEDGER, SPOOL, Ask, Ledger, Request
from sttd.ledger.request import ABOUT_A_JOB
from sttd.ledger.spool import leave, make
from sttd.part import Cause, Chunk, Chunks, Done, Failed, Lost, PartSpec, Segment, Started
from sttd.pool.protocol import LOCAL, Placed, SourceView, WorkerView
from sttd.rules.deadlines import Deadlines
from sttd.sharing import parts_of

CHUNKS = 4  # windows of each recording, of a second each
SHARED = PoolSettings(split_after=2.0, part_length=1.5)  # in three parts, the first of two windows
SLOTS = 2
INSTANT = 1e-3  # seconds that go by before a look

# what a `Started` tells beside who tells it
STARTED: dict[str, Any] = {
    "requested_model": "demo",
    "fallback_reason": "",
    "stuck": False,
    "load_seconds": 0.0,
    "audio_seconds": 4.0,
}


@dataclass
class Attempt:
    """A worker's: what it reads is read when it opens the file, as a real one holds the file open."""

    spec: PartSpec
    content: str | None = None
    sent: int = 0  # windows of the recording
    killed: Cause | None = None
    parts: int = 1  # that the recording has, for this worker
    warnings: tuple[str, ...] = ()  # what it finds wrong with the recording

    @property
    def first(self) -> int:
        """Its first window: where the border before the part is."""
        return _border(self.spec, self.spec.number)

    @property
    def last(self) -> int:
        """The window behind it."""
        return CHUNKS if self.spec.number + 1 >= self.parts else _border(self.spec, self.spec.number + 1)


def _border(spec: PartSpec, number: int) -> int:
    return 0 if spec.share is None else min(CHUNKS, math.ceil(number * spec.share.length))


class Pool:
    """Takes parts, and says nothing by itself."""

    def __init__(self) -> None:
        self.attempts: dict[str, Attempt] = {}
        self.views: list[SourceView] = []
        self.benched: list[tuple[str, str]] = []  # nodes, and why
        self.forgotten: list[str] = []  # recordings that workers elsewhere were to drop

    def free_slots(self) -> int:
        return SLOTS - len(self.attempts)

    def most_slots(self) -> int:
        return SLOTS

    def forget(self, source: str) -> None:
        self.forgotten.append(source)

    def sources(self) -> list[SourceView]:
        return self.views

    def bench(self, node: str, why: str) -> None:
        self.benched.append((node, why))

    def can_grow(self) -> bool:
        return False

    def workers(self) -> list[WorkerView]:
        return []

    def submit(self, part: PartSpec, holds: Mapping[str, str]) -> Placed:
        assert part.part_id not in self.attempts, "two workers have one part"
        parts = part.parts or parts_of(float(CHUNKS), part.share)
        attempt = self.attempts[part.part_id] = Attempt(part, parts=parts)
        attempt.sent = attempt.first + part.next_index
        return Placed("local/1", LOCAL, None, part)

    def kill(self, part_id: str, attempt: int, reason: Cause) -> None:
        found = self.attempts.get(part_id)
        if found is not None and found.spec.attempt == attempt:
            found.killed = reason

    stop = kill  # a worker that is asked to may take as long

    def configure(self, config: Config) -> None:
        pass


class Drawer:
    """File work that is done when its turn comes."""

    def __init__(self) -> None:
        self.posted: deque[Errand] = deque()
        self.under_way = 0
        self.fails: deque[tuple[int, bool]] = (
            deque()
        )  # the next ones: the errno, and whether the work was done all the same

    def post(self, name: str, work: Callable[[], Any], then: Any, failed: Any, job: int | None = None) -> None:
        self.under_way += 1
        self.posted.append(Errand(name, job, work, then, failed))

    def operations(self) -> list[Operation]:
        return []

    def do(self) -> Finished:
        """The oldest errand."""
        errand = self.posted.popleft()
        try:
            return Finished(self, errand, self._work(errand), None)
        except (OSError, SttdError) as error:
            return Finished(self, errand, None, error)

    def _work(self, errand: Errand) -> Any:
        if not self.fails:
            return errand.work()
        number, done = self.fails.popleft()
        if done:
            errand.work()
        raise OSError(number, os.strerror(number))


class AtOnce(Drawer):
    """Looks at the options of folders: nobody waits for them here."""

    def post(self, name: str, work: Callable[[], Any], then: Any, failed: Any, job: int | None = None) -> None:
        super().post(name, work, then, failed, job)
        self.do().settle()


class Folder:
    """The inboxes as far as the daemon asks them: what was told, and what was taken away on purpose."""

    def __init__(self, roots: Mapping[str, Path]) -> None:
        self.roots = roots  # by name
        self.root = roots[""]
        self.known: set[str] = set()
        self.lost_mounts: set[str] = set()
        self.told: dict[str, Identity] = {}

    def configure(self, config: Config) -> None:
        pass

    def is_lost(self, source: str) -> bool:
        """Whether it lay on a disk of its own, which is away."""
        return source in self.lost_mounts

    def reasons(self) -> dict[str, str | None]:
        return {name: None if root.exists() else f"{root} is missing" for name, root in self.roots.items()}

    def path_of(self, source: str) -> Path:
        name, path = inboxes.split(source)
        return self.roots[name] / path

    def forget(self, rel: str) -> None:
        self.known.discard(rel)
        self.told.pop(rel, None)

    def news(self) -> dict[str, Identity]:
        """What was not told yet: each version is told once, until it is forgotten or gone."""
        files = self.files()
        news = {rel: identity for rel, identity in files.items() if self.told.get(rel) != identity}
        self.told.update(news)
        self.known.update(news)
        return news

    def lost(self) -> list[str]:
        lost = sorted(self.known - self.files().keys())
        lost = [rel for rel in lost if self.roots[inboxes.split(rel)[0]].exists()]
        for rel in lost:
            self.forget(rel)
        return lost

    def expect(self, rels: Iterable[str]) -> None:
        self.known.update(rels)

    def kick(self) -> None:
        """Each look goes through the whole of it."""

    def files(self) -> dict[str, Identity]:
        found = {}
        folders = [(name, root) for name, root in self.roots.items() if root.exists()]
        while folders:
            name, folder = folders.pop()
            for entry in os.scandir(folder):
                if entry.is_dir(follow_symlinks=False):
                    folders.append((name, Path(entry.path)))
                elif not entry.name.startswith("."):
                    seen = entry.stat()
                    path = os.path.relpath(entry.path, self.roots[name])
                    found[inboxes.join(name, path)] = Identity(seen.st_size, seen.st_mtime_ns)
        return found


class Stations:
    """The daemon's steps. `now` is its one clock."""

    def __init__(self, root: Path, fate: str, watched: Iterable[str] = (), *, shared: bool = False) -> None:
        """`watched`: names of further inboxes, each a folder of `root`. `shared`: recordings are shared out."""
        paths = {name: root / name for name in ("inbox", "transcripts", "archive", "failed", "state")}
        self.config = Config(
            paths=Paths(root=root, **paths),
            output=Output(formats=("txt", "json"), source=fate),
            model=Model(name="demo"),
            pool=SHARED if shared else PoolSettings(),
            watched=tuple(Watched(name, root / name) for name in watched),
        )
        for path in (*paths.values(), *self.config.inboxes().values()):
            path.mkdir(exist_ok=True)
        make(paths["state"] / SPOOL)
        for inbox in self.config.inboxes().values():
            (inbox / ".sttd.lock").touch()
        self.now = 1e9
        self.context: Any = None
        self.start()

    def start(self) -> None:
        """As `run` does: the ledger, what waits, and what an earlier daemon left."""
        ledger = Ledger.open(self.config.paths.state / LEDGER)
        self.unheard: deque[Callable[[], None]] = deque()
        self.walked: deque[Found] = deque()  # looks that the loop has not been told of
        self.pool, self.errands, self.inbox = Pool(), Drawer(), Folder(self.config.inboxes())
        clocks = {"clock": lambda: self.now, "utc": lambda: self.now}
        drawers: dict[str, Any] = dict.fromkeys(("errands", "checks", "upkeep", "models"), self.errands)
        looks: dict[str, Any] = {name: AtOnce() for name in self.config.inboxes()}
        parts: dict[str, Any] = {
            "pool": self.pool,
            "work": FileWork(**drawers, looks=looks),
            "judging": Judging(random=lambda: 0.5),
            "inbox": self.inbox,
        }
        self.context = Context(config=self.config, ledger=ledger, deadlines=Deadlines(), **parts, **clocks)
        waiting = [job for job in ledger.jobs([State.QUEUED, State.RUNNING]) if job.location is None]
        sweep.recover(self.context)
        self.inbox.known.update(job.source for job in waiting)

    def crash(self, *, halfway: bool) -> None:
        """Nothing is said to anybody; `halfway`: an errand was done of which the ledger never heard."""
        if halfway and self.errands.posted:
            self.errands.do()
        self.context.ledger.close()
        self.start()

    def break_ledger(self, times: int, *, at_commit: bool) -> None:
        """The next transactions fail: before they begin, or when they are to be committed. Nested ones are part of theirs."""
        ledger, real = self.context.ledger, type(self.context.ledger).transaction
        left = iter(range(times))

        @contextlib.contextmanager
        def flaky() -> Iterator[None]:
            fails = not ledger._db.in_transaction and next(left, None) is not None
            if fails and not at_commit:
                raise LedgerError("the disk is full")
            with real(ledger):
                yield
                if fails:
                    raise LedgerError("the disk is full")

        ledger.transaction = flaky

    def break_code(self, after: int) -> None:
        """A step of a job meets an error that nobody expects, once."""
        ledger, real = self.context.ledger, type(self.context.ledger).update
        steps = iter(range(after))

        def faulty(job: Any, **changes: Any) -> Any:
            if next(steps, None) is None:
                ledger.update = lambda job, **changes: real(ledger, job, **changes)
                raise KeyError("a fault in sttd")
            return real(ledger, job, **changes)

        ledger.update = faulty

    def mend(self) -> None:
        """Nothing fails any more."""
        self.errands.fails.clear()
        for name in ("transaction", "update"):
            self.context.ledger.__dict__.pop(name, None)

    def tell(self, handle: Callable[[], None]) -> None:
        """An input of the loop: what the ledger cannot take now is kept, in order, as the loop does."""
        self.unheard.append(handle)
        self.hear()

    def hear(self) -> None:
        while self.unheard:
            try:
                self.unheard[0]()
            except LedgerError:
                return
            self.unheard.popleft()

    def walk(self) -> None:
        """A look through the inboxes, which others may come before: what it found is told later (`tell_walks`)."""
        self.now += INSTANT  # its clock goes on: what was taken before it was not taken since
        news = self.inbox.news()
        if news:
            self.walked.append(Found(tuple(news.items()), self.now))

    def tell_walks(self) -> None:
        while self.walked:
            event = self.walked.popleft()
            self.tell(lambda event=event: intake.found(self.context, event))  # type: ignore[misc]

    def look(self) -> None:
        self.walk()
        self.tell_walks()

    def ask(self, kind: str, job: int | None = None) -> str:
        """What a person asks for on the command line."""
        return leave(self.config.paths.state / SPOOL, Request(Ask(kind), job if kind in ABOUT_A_JOB else None))

    def miss(self) -> None:
        self.tell_walks()  # the inbox tells in the order in which it looked
        lost = self.inbox.lost()
        if lost:
            self.tell(lambda: intake.gone(self.context, Gone(tuple(lost))))

    def settle(self) -> None:
        """The oldest errand is done, and the loop hears of it."""
        finished = self.errands.do()

        def handle() -> None:
            with guard(self.context, finished.errand.job or 0):
                finished.settle()

        self.tell(handle)

    def message(self, event: Any) -> None:
        self.tell(lambda: results.handle(self.context, event))

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.hear()
        if self.unheard:
            return
        for due in (requests.take, results.save, by_folder.step, sweep.sweep, dispatch.dispatch):
            with contextlib.suppress(LedgerError):
                due(self.context)

    def go_on(self) -> None:
        """All that is due, and all that is under way to its end, with nobody to disturb it."""
        self.look()
        self.miss()
        self.tick(1000.0)
        for attempt in list(self.pool.attempts.values()):
            while self.pool.attempts.get(attempt.spec.part_id) is attempt:
                self.step(attempt)
        while self.errands.posted:
            self.settle()

    def step(self, attempt: Attempt) -> None:
        """What a sound worker does next: open, a window, another, and the end."""
        carried: dict[str, Any] = {"part_id": attempt.spec.part_id, "attempt": attempt.spec.attempt}
        if attempt.killed is not None:
            self.end(attempt, attempt.killed)
        elif attempt.content is None:
            self._open(attempt, carried)
        elif attempt.sent < attempt.last:
            chunk = self._chunk(attempt)
            self.message(Chunks(chunks=(chunk,), done=chunk.end, **carried))
            attempt.sent += 1
        else:
            del self.pool.attempts[attempt.spec.part_id]
            self.message(Done(audio_seconds=float(attempt.last), warnings=attempt.warnings, **carried))

    def _open(self, attempt: Attempt, carried: dict[str, Any]) -> None:
        path = Path(attempt.spec.source)
        try:
            seen = path.stat()
        except FileNotFoundError:
            self.end(attempt, Cause.GONE)
            return
        if (seen.st_size, seen.st_mtime_ns) != (attempt.spec.size, attempt.spec.mtime_ns):
            self.end(attempt, Cause.CHANGED)
            return
        attempt.content = path.read_text()
        figures = {"pid": 1, "model": "demo", "requested_model": "demo", "fallback_reason": "", "stuck": False}
        event = Started(**figures, load_seconds=0.0, audio_seconds=float(CHUNKS), parts=attempt.parts, **carried)
        self.message(event)

    def _chunk(self, attempt: Attempt) -> Chunk:
        at = attempt.sent
        said = Segment(float(at), at + 1.0, f"{attempt.content} {at}", -0.1, 1.0, 0.0, 0.0, "en")
        index = at - attempt.first
        return Chunk(index, at * 16_000, (at + 1) * 16_000, (said,), "en", 0.9, "demo", "en", 0.9)

    def end(self, attempt: Attempt, cause: Cause) -> None:
        """The attempt ends with a cause, in the way that a pool tells it."""
        carried: dict[str, Any] = {"part_id": attempt.spec.part_id, "attempt": attempt.spec.attempt}
        del self.pool.attempts[attempt.spec.part_id]
        if cause in (Cause.SLICE, Cause.ASKED, Cause.MEMORY) and (attempt.content is not None or attempt.killed):
            event: Any = Done(resume_at=attempt.sent * 16_000, cause=cause, **carried)
        elif cause in (Cause.TIMEOUT, Cause.CANCELLED, Cause.SHUTDOWN, Cause.CRASH, Cause.OOM) or attempt.killed:
            event = Lost(cause=cause, error="it died", **carried)
        else:
            event = Failed(cause=cause, error="it went wrong", retriable=True, **carried)
        self.message(event)

    def stale(self, attempt: Attempt) -> None:
        """A worker that was thought dead says something: it has an old number."""
        old = dataclasses.replace(attempt.spec, attempt=attempt.spec.attempt - 1)
        carried: dict[str, Any] = {"part_id": old.part_id, "attempt": old.attempt}
        late = Chunk(
            attempt.sent - attempt.first, attempt.sent * 16_000, (attempt.sent + 1) * 16_000, (), "und", 0.0, "demo"
        )
        self.message(Chunks(chunks=(late,), done=late.end, **carried))
        self.message(Done(audio_seconds=1.0, **carried))
