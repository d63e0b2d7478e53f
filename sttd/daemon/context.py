"""What the parts of the daemon share: the stations, the clocks, and who is running. Owned by the loop's thread."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sttd.config import Config
from sttd.daemon.errands import Errands
from sttd.host.events import Kind, say
from sttd.inbox import Inbox
from sttd.job import Job
from sttd.ledger import Checkpoint, Ledger
from sttd.part import PartSpec
from sttd.pool import WorkerPool
from sttd.rules.deadlines import Deadlines
from sttd.rules.fairness import Turn, Turns


@dataclass(slots=True)
class Running:
    """One attempt under way."""

    job: Job
    spec: PartSpec
    checkpoint: Checkpoint
    turn: Turn  # whose worker time it is
    submitted: float  # monotonic seconds
    started: float | None = None  # when the model was ready
    pid: int | None = None
    progressed: bool = False  # a chunk came in this attempt
    done: float = 0.0  # seconds of audio
    total: float | None = None
    unsaved: dict[str, Any] = field(default_factory=dict)  # changes of the job for its next ledger write
    why: str | None = None  # why it was killed, in words
    torn: bool = False  # a chunk could not be checkpointed: what comes after it leads to no result


@dataclass(slots=True)
class Trouble:
    """Something wrong with the machine that holds work up, said once and shown in the status until it is over."""

    text: str
    until: float  # monotonic: nothing new starts before


@dataclass(slots=True)
class Context:
    config: Config
    ledger: Ledger
    pool: WorkerPool
    inbox: Inbox | None  # None: `sttd transcribe`
    errands: Errands
    deadlines: Deadlines
    clock: Callable[[], float] = time.monotonic  # seconds; what lasts
    utc: Callable[[], float] = time.time  # seconds since the epoch; what is stored
    random: Callable[[], float] = random.random
    running: dict[str, Running] = field(default_factory=dict)  # by part id
    turns: Turns = field(default_factory=Turns)
    hashing: set[int] = field(default_factory=set)  # jobs whose content is being looked at
    filing: dict[int, float] = field(default_factory=dict)  # jobs whose files are put in place: next try (monotonic)
    unmatched: set[int] = field(default_factory=set)  # jobs that a copy was not possible for
    trouble: dict[str, Trouble] = field(default_factory=dict)
    model_holds: dict[str, tuple[float, str]] = field(default_factory=dict)  # model: not before (monotonic), why
    model_said: set[str] = field(default_factory=set)  # why there is no model, as the log has it already
    failed_now: int = 0  # jobs that this run gave up
    busy_only: bool = False  # memory is high: no job starts while another runs
    stopping: bool = False

    def say(self, name: str, text: str, wait: float) -> bool:
        """Note what is wrong, for the status; nothing new starts for `wait` seconds.

        Returns:
            Whether it is news, which is worth a line in the log.
        """
        before, self.trouble[name] = self.trouble.get(name), Trouble(text, self.clock() + wait)
        return before is None

    def over(self, name: str, kind: Kind = Kind.REMARK) -> None:
        """What was wrong no longer is."""
        before = self.trouble.pop(name, None)
        if before is not None:
            say(kind, f"over: {before.text}", level="INFO")

    def held(self) -> bool:
        """Whether some trouble keeps jobs from starting now."""
        now = self.clock()
        return any(trouble.until > now for trouble in self.trouble.values())
