"""What the modules of the daemon share: the stations, the clocks, and the attempts under way. Owned by the loop's thread.

What is to be done next is never kept here: it follows from the ledger's rows (see sweep.py). What is kept is what is under
way now, and when something that went wrong is tried again, which a restart may lose without harm.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sttd.config import Config
from sttd.daemon.disks import Disks
from sttd.daemon.errands import Errands, Operation
from sttd.daemon.faults import Faults
from sttd.daemon.folder_looks import FolderLooks
from sttd.daemon.listener import Listener, Nobody
from sttd.daemon.looked import Looked
from sttd.daemon.model_holds import ModelHolds
from sttd.daemon.sought import Sought
from sttd.daemon.taken import Taken
from sttd.daemon.tries import Tries
from sttd.daemon.troubles import Troubles
from sttd.daemon.unreadable import UnreadableFiles
from sttd.daemon.where import Whereabouts
from sttd.inbox import Inboxes
from sttd.job import Identity, Job, Part
from sttd.ledger import SPOOL, Checkpoint, Ledger
from sttd.ledger.facts import PLACES
from sttd.ledger.spool import Spool
from sttd.outbox import Places
from sttd.part import PartSpec
from sttd.pool.protocol import LOCAL, WorkerPool
from sttd.rules.claims import Claims
from sttd.rules.deadlines import Deadlines
from sttd.rules.fairness import Charge, Turns
from sttd.rules.lines import Lines
from sttd.rules.streaks import Streaks
from sttd.sharing import Decided

FOLLOWED = "another part of it found that out"  # why an attempt was killed of which nothing is needed any more


@dataclass(slots=True)
class Running:
    """One attempt under way, at a part of a job: mostly the only one."""

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
    node: str = LOCAL  # where that is
    progressed: bool = False  # a chunk came in this attempt
    done: float = 0.0  # seconds of audio
    total: float | None = None
    begins: float = 0.0  # seconds of audio before the part, as far as is known
    unsaved: dict[str, Any] = field(default_factory=dict)  # changes of job and part for their next ledger write
    why: str | None = None  # why it was killed, in words
    gives_way: bool = False  # it was asked to stop, because others wait
    notices: int = 0  # that its worker had for the log
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
        """What the attempt is at: its own attempts, batch size, device and what went wrong before."""
        return self.part or self.job


@dataclass(slots=True)
class Trial:
    """The transcription of sttd's own sample: see trial.py."""

    sample: Path | None = None  # None: there is none
    job: Job | None = None  # the latest one that met the error
    under_way: bool = False
    attempt: int = 0  # its number, so that what an old one says is passed over
    rounds: int = 0  # of `Streaks`, when the latest one began
    since: float = 0.0  # monotonic seconds of that
    is_told: bool = False  # the log has that it failed


@dataclass(slots=True)
class Happened:
    """What no row of a job says, counted since the last sample (see sampling.py)."""

    load_timeouts: int = 0  # loads of a model that took too long
    resumes: int = 0  # attempts that went on from a checkpoint


@dataclass(slots=True)
class Context:
    config: Config
    ledger: Ledger
    pool: WorkerPool
    inbox: Inboxes | None  # None: `sttd transcribe`
    errands: Errands  # results and sources put in place, and what else must not hold the loop
    checks: Errands  # content checks, on a thread of their own
    upkeep: Errands  # looking for what is old, and rewriting the manifest: on a thread of their own
    sought: Sought  # models that requests name: on a thread of their own
    deadlines: Deadlines
    clock: Callable[[], float] = time.monotonic  # seconds; what lasts
    utc: Callable[[], float] = time.time  # seconds since the epoch; what is stored
    random: Callable[[], float] = random.random
    running: dict[str, Running] = field(default_factory=dict)  # by part id
    configured: float = 0.0  # monotonic seconds: when `config` was loaded again; attempts before it had another one
    turns: Turns = field(default_factory=Turns)
    models: ModelHolds = field(default_factory=ModelHolds)
    faults: Faults = field(default_factory=Faults)
    streaks: Streaks = field(default_factory=Streaks)
    lines: Lines = field(default_factory=Lines)
    claims: Claims = field(default_factory=Claims)
    trial: Trial = field(default_factory=Trial)
    troubles: Troubles = field(init=False)
    filing: Tries = field(default_factory=Tries)  # of jobs whose files are being moved
    disks: Disks = field(init=False)
    checking: Tries = field(default_factory=Tries)  # of jobs whose content is being hashed
    taken: Taken = field(default_factory=Taken)
    whereabouts: Whereabouts = field(default_factory=Whereabouts)
    looked: Looked = field(default_factory=Looked)
    told: dict[int, int] = field(default_factory=dict)  # the part of a shared-out job that the listener hears, by job
    # the languages of shared-out jobs by job, with the version of the file and the options (see `spread.languages`), and by channel
    decided: dict[int, tuple[tuple[Identity, str], Mapping[int, Decided]]] = field(default_factory=dict)
    unreadable: UnreadableFiles = field(default_factory=UnreadableFiles)
    folder_looks: FolderLooks = field(default_factory=FolderLooks)
    looks: dict[str, Errands] = field(default_factory=dict)  # at these, by inbox: one that hangs holds up no other
    silent: list[Errands] = field(default_factory=list)  # looks at folders that did not answer at the start
    followed: int = 0  # number of the last original whose twins were looked at; 0: begin anew
    filed: int = 0  # number of the last job whose plan was looked at; 0: begin anew
    failed_now: int = 0  # jobs that this run gave up
    happened: Happened = field(default_factory=Happened)
    busy_only: bool = False  # memory is high: no job starts while another runs
    stopping: bool = False
    listener: Listener = field(default_factory=Nobody)
    spool: Spool = field(init=False)  # where people leave requests
    places: Places = field(init=False)  # the folders that results and sources go to, known again by their marks

    def __post_init__(self) -> None:
        self.troubles = Troubles(self.clock)
        self.disks = Disks(self.filing)
        self.spool = Spool(self.config.paths.state / SPOOL)
        self.places = Places(self.config.paths, self.ledger.fact(PLACES), inboxes=self.config.inboxes())

    def attempts_of(self, job_id: int) -> list[Running]:
        """The attempts at a job that are under way: mostly one, of a long recording one for each part that a worker has."""
        return [running for running in self.running.values() if running.job.id == job_id]

    def file_work(self) -> tuple[Errands, ...]:
        """All that is done with files off the loop for its jobs."""
        return self.errands, self.checks, self.upkeep, self.sought.errands, *self.looks.values(), *self.silent

    def operations(self) -> list[Operation]:
        """The file work under way, the oldest first."""
        under_way = [operation for errands in self.file_work() for operation in errands.operations()]
        return sorted(under_way, key=lambda each: each.since)
