"""One worker as the pool sees it: what it has, and how its attempt comes to exactly one end.

Values only, no pipe and no signal: the pool calls each method with its lock held and acts on what it returns.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from sttd.part import ENDS, Cause, Chunks, Done, Event, Failed, Loaded, Lost, Message, PartSpec, Started, serves
from sttd.pool.death import Death, cause_of, spoils
from sttd.pool.sequence import OutOfOrder, Sequence
from sttd.pool.source import Source
from sttd.pool.wire import Ask, Gone, Took, WireError
from sttd.pool.worker import Worker

_NEVER = math.inf
_LATE = 60.0  # seconds that a message may wait for the daemon: after a longer pause its watchdog ends it


@dataclass(slots=True, eq=False)
class Seat:
    """A worker and the part that it has. Times are monotonic seconds."""

    number: int  # the lowest that was free in its source: it chooses the GPU
    source: Source
    worker: Worker = field(init=False)  # hired right after the seat is made: its ears need the seat
    ready: bool = False  # it takes a part
    part: PartSpec | None = None
    loaded: Loaded | None = None
    has_model: bool = False  # `loaded` is certainly the part's model
    sent: bool = False  # the part's recording is on its way to the worker
    took: bool = False  # the worker has begun with the part
    started: bool = False  # the part's model is ready
    started_at: float = _NEVER  # when that was first heard
    sequence: Sequence = field(init=False)  # of the part's chunks
    asked: set[Cause] = field(default_factory=set)  # why it was asked to stop
    spoilt: bool = False  # it is to have no further part
    outdated: bool = False  # it was hired by other terms than its source has now
    leaving: bool = False  # it was told to exit, or is dead
    jobs: int = 0
    ordered: Cause | None = None  # the cause of our kill; the first one counts
    oom_before: int = 0  # the count of OOM kills when the part began
    wanted_at: float = -_NEVER  # while it is not ready: when there was last something to do for it
    idle_since: float = _NEVER
    kill_at: float = _NEVER  # when SIGKILL is due
    give_up_at: float = _NEVER  # when it is given up, because not even SIGKILL has ended it

    @property
    def label(self) -> str:
        """What the log calls the worker: its process here, or its name."""
        return self.worker.name if self.worker.pid is None else str(self.worker.pid)

    def take(self, part: PartSpec, oom_kills: int) -> None:
        self.part, self.oom_before = part, oom_kills
        self.sequence, self.asked = Sequence(part), set()
        self.has_model = self.loaded is not None and serves(self.loaded, part.model)
        self.sent = self.took = self.started = False
        self.started_at = _NEVER
        self.idle_since = _NEVER

    def has(self, part_id: str, attempt: int) -> bool:
        return self.part is not None and (self.part.part_id, self.part.attempt) == (part_id, attempt)

    @property
    def idle(self) -> bool:
        """It could take a part now."""
        return self.part is None and self.ready and not self.leaving

    @property
    def state(self) -> str:
        """The word for `sttd status`."""
        if self.part is None:
            return "leaving" if self.leaving else "idle" if self.ready else "connecting"
        if self.ordered is not None:
            return "ending"
        if self.started:
            return "running"
        return "loading" if self.took else "sending" if self.sent else "starting"

    def hear(self, message: Any, now: float) -> Event | None:
        """Take a message in; returns the event for the sink, if it is one.

        After our kill the worker's own end is dropped: the attempt ends as Lost with the kill's cause, when the process is
        gone. Messages for an attempt that has ended are dropped too.

        Raises:
            WireError: no worker may send such a message.
        """
        if isinstance(message, Took):
            self.took |= self.has(message.part_id, message.attempt)
        elif isinstance(message, Loaded):
            self.loaded, self.has_model = message, True
        elif isinstance(message, Ask) and self.source.ahead:
            self.sent |= self.has(message.part_id, message.attempt)
        elif isinstance(message, Gone) and self.source.ahead:
            return self._gone(message, now)
        elif not isinstance(message, Message):
            raise WireError(f"a {type(message).__name__}, which no worker says")
        elif self.has(message.part_id, message.attempt):
            return self._hear(message, now)
        return None

    def _hear(self, message: Any, now: float) -> Event | None:
        self._check(message, now)
        if isinstance(message, ENDS):
            if self.ordered is not None:
                return None
            self.part, self.idle_since = None, now
            self.jobs += 1
            stuck = self.loaded is not None and self.loaded.stuck
            self.spoilt = stuck or (isinstance(message, Failed) and spoils(message))
            if isinstance(message, Failed):  # before its worker has begun, the far side has failed and not the worker
                message = dataclasses.replace(message, spoilt=self.took and spoils(message))
        elif isinstance(message, Started):
            self.started, self.started_at = True, min(now, self.started_at)
        event: Event = message
        return event

    def _check(self, message: Any, now: float) -> None:
        """Raises WireError: it does not fit what was said and ordered before."""
        assert self.part is not None
        match message:
            case Chunks() | Done(resume_at=None) if not self.started:
                raise WireError(f"a {type(message).__name__} of a part that it had not started")
            case Chunks():
                try:
                    self.sequence.check(message)
                except OutOfOrder as error:
                    raise WireError(f"what does not fit: {error}") from error
            case Done(cause=Cause() as cause) if cause not in self.asked and not self._has_used_its_time(cause, now):
                raise WireError(f"that it stops ({cause}), which nobody had asked for")
            case Failed(cause=Cause.NO_MODEL) if self.has_model:
                raise WireError("that it has no model, though it had one")
            case Failed(cause=Cause.EXISTING) if self.part.existing is None:
                raise WireError("that there are subtitles already, which nobody had asked for")

    def _has_used_its_time(self, cause: Cause, now: float) -> bool:
        """Whether it may stop by itself: its budget is used up, and it has made a chunk.

        The job is charged from the moment when Started was heard here, so that this moment counts: a worker that lies must not
        get free turns. An honest one seems to use less than its budget, by `_LATE` at most. Half of the rest is enough: this
        computer, and its clock, may have slept while a worker elsewhere went on.
        """
        assert self.part is not None
        return (
            cause is Cause.SLICE and self.sequence.has_moved and now - self.started_at >= (self.part.budget - _LATE) / 2
        )

    def _gone(self, gone: Gone, now: float) -> Lost | None:
        """The process on the far side is gone, and the line to it stays: the next part gets another process.

        The Gone of an idle process may cross the next Do on the line. It ends that part only if we have ordered a kill.
        """
        mine = self.has(gone.part_id, gone.attempt) or (self.part is not None and self.ordered is not None)
        if not mine:
            if not self.took:
                self.loaded, self.has_model = None, False
            return None
        before, self.oom_before = self.leaving, 0
        lost = self.lose(Death(gone.exitcode, gone.problem, gone.unborn), int(gone.oom))
        self.leaving, self.loaded, self.ordered, self.kill_at = before, None, None, _NEVER
        self.idle_since = now
        return lost

    def lose(self, death: Death, oom_kills: int) -> Lost | None:
        """The process is gone, or given up; returns the end of its part, if it had one."""
        part, self.part, self.leaving = self.part, None, True
        if part is None:
            return None
        cause, error = cause_of(
            death,
            ordered=self.ordered,
            sent=self.sent,
            took=self.took,
            loaded=self.loaded is not None,
            oom=oom_kills > self.oom_before,
        )
        return Lost(part_id=part.part_id, attempt=part.attempt, cause=cause, error=error, exitcode=death.exitcode)
