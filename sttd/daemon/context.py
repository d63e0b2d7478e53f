"""What the modules of the daemon share: the stations, the clocks, and the attempts under way. Owned by the loop's thread.

What is to be done next is never kept here: it follows from the ledger's rows (see sweep.py). Here is only what is under
way now, and when something that went wrong is tried again; a restart may lose both without harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sttd.config import Config
from sttd.daemon.counts import Counts
from sttd.daemon.errands import FileWork
from sttd.daemon.judging import Judging
from sttd.daemon.recordings import Recordings
from sttd.daemon.shared import Shared
from sttd.daemon.sought import Requests, Sought
from sttd.daemon.starting import Starting
from sttd.daemon.tries import Filing, Twins
from sttd.daemon.troubles import Troubles
from sttd.inbox import Inboxes
from sttd.job import Job, Part
from sttd.ledger import SPOOL, Checkpoint, Ledger
from sttd.ledger.facts import PLACES
from sttd.ledger.spool import Spool
from sttd.outbox import Places
from sttd.part import PartSpec
from sttd.pool.protocol import LOCAL, WorkerPool
from sttd.rules.deadlines import Deadlines
from sttd.rules.fairness import Charge

FOLLOWED = "another part of it found that out"  # `Running.why` of an attempt that another part of its job made needless


@dataclass(slots=True)
class Running:
    """One attempt under way, at one part of a job; most jobs are one part."""

    job: Job
    spec: PartSpec
    checkpoint: Checkpoint
    charge: Charge  # whose worker time it is
    submitted: float  # monotonic seconds
    part: Part | None = None  # None: the job is its own only part
    started: float | None = None  # when the model was ready
    since: float | None = None  # the same in UTC seconds
    pid: int | None = None  # of its process on this machine
    worker: str = ""  # its worker's name
    node: str = LOCAL  # the machine of that worker
    progressed: bool = False  # a chunk came in this attempt
    done: float = 0.0  # seconds of audio
    total: float | None = None
    begins: float = 0.0  # seconds of audio before the part, as far as is known
    unsaved: dict[str, Any] = field(default_factory=dict)  # changes of job and part for their next ledger write
    why: str | None = None  # why it was killed, in words
    gives_way: bool = False  # it was asked to stop, because others wait
    notices: int = 0  # messages that its worker has sent for the log
    torn: bool = False  # a chunk could not be checkpointed: what comes after it leads to no result

    @property
    def is_elsewhere(self) -> bool:
        """Whether its worker is on another machine."""
        return self.node != LOCAL

    @property
    def label(self) -> int | str | None:
        """What the log calls the worker: its process, or the name of one that is elsewhere."""
        return self.worker if self.is_elsewhere else self.pid

    @property
    def is_told(self) -> bool:
        """Whether it was killed for a reason of its own, and not only because another part of its job found one."""
        return self.why not in (None, FOLLOWED)

    @property
    def tried(self) -> Job | Part:
        """The part or job that the attempt works on: it has the attempts, batch size, device and last error that count."""
        return self.part or self.job


@dataclass(slots=True)
class Context:
    config: Config
    ledger: Ledger
    pool: WorkerPool
    inbox: Inboxes | None  # None: `sttd transcribe`
    work: FileWork
    deadlines: Deadlines
    clock: Callable[[], float] = time.monotonic  # monotonic seconds, for durations
    utc: Callable[[], float] = time.time  # seconds since the epoch, for what is stored
    running: dict[str, Running] = field(default_factory=dict)  # by part id
    starting: Starting = field(default_factory=Starting)
    judging: Judging = field(default_factory=Judging)
    filing: Filing = field(default_factory=Filing)
    twins: Twins = field(default_factory=Twins)
    recordings: Recordings = field(default_factory=Recordings)
    shared: Shared = field(default_factory=Shared)
    counts: Counts = field(default_factory=Counts)
    stopping: bool = False
    troubles: Troubles = field(init=False)
    requests: Requests = field(init=False)
    places: Places = field(init=False)  # the folders that results and sources go to, recognised by their marks

    def __post_init__(self) -> None:
        self.troubles = Troubles(self.clock)
        self.requests = Requests(Spool(self.config.paths.state / SPOOL), Sought(self.work.models))
        self.places = Places(self.config.paths, self.ledger.fact(PLACES), inboxes=self.config.inboxes())

    def attempts_of(self, job_id: int) -> list[Running]:
        """The attempts at a job that are under way: mostly one, of a long recording one for each part that a worker has."""
        return [running for running in self.running.values() if running.job.id == job_id]
