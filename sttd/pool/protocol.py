"""What the daemon may know of a pool: one interface, on whatever machines the workers are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from sttd.config import Config
from sttd.errors import SttdError
from sttd.part import Cause, Event, PartSpec

Sink = Callable[[Event], None]
LOCAL = "local"  # the node that the daemon runs on
NO_HOLDS: Mapping[str, str] = MappingProxyType({})


class PoolFull(SttdError):
    """A part was submitted though `free_slots()` was 0, or the pool is closed: submit it again later."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker, as `sttd status` shows it."""

    name: str  # `local/1`, `gpu1/2`
    node: str  # the machine that it is on, whose memory it uses: `local`, or the name of a remote one
    pid: int | None  # on this machine
    state: str  # connecting, starting, sending, loading, running, ending, idle or leaving
    part_id: str | None
    model: str | None  # the one in memory
    rss: int  # bytes resident; 0 where that is not known


@dataclass(frozen=True, slots=True)
class SourceView:
    """Where workers come from, as `sttd status` shows it."""

    name: str  # of the node
    slots: int  # how many parts may run there at once
    workers: int  # that can take parts, or have one
    away: str  # why none takes one now; "": some do, or nobody has needed them yet
    retry_at: float | None  # monotonic seconds, when it is tried again; None where it is not away
    tries: int  # failed ones, since a worker there last answered
    is_remote: bool
    is_cut_off: bool  # no worker there has a part, and probably none will soon


@dataclass(frozen=True, slots=True)
class Placed:
    """The worker that got a submitted part."""

    name: str  # of the worker
    node: str
    pid: int | None
    part: PartSpec  # as the worker gets it


class WorkerPool(Protocol):
    """Runs parts. Every part that `submit` took ends in exactly one Done, Failed or Lost, whatever happens.

    A part's chunks come in order and without a gap, and nothing of it comes after its end. No method waits for a
    worker, except `close`.
    """

    def start(self, sink: Sink) -> None:
        """Send every event to `sink` from now on. It is called from several threads, and must be quick."""

    def free_slots(self) -> int:
        """How many parts `submit` would take now. It may grow and shrink."""

    def most_slots(self) -> int:
        """The most parts that may run at once, counting all configured workers, those of sources that are away too."""

    def submit(self, part: PartSpec, holds: Mapping[str, str] = NO_HOLDS) -> Placed:
        """Start one attempt. Only the main thread may call this: workers die with the thread that starts them.

        If the worker cannot be started, the attempt ends as Lost with Cause.MACHINE.

        Args:
            part: what to transcribe, and how.
            holds: for a node, why the part's model is not to be tried there now; see `ModelSpec.hold`.

        Raises:
            PoolFull: there is no slot.
        """

    def can_grow(self) -> bool:
        """Whether `want` can hire workers on other machines now, or has hired some that have not answered yet."""

    def want(self, parts: int) -> None:
        """Report parts without a slot: the next `tick` hires workers on other machines, which are slots once they answer.

        Call it again while there are such parts: workers that have not answered and are not wanted for a while are given up.
        """

    def kill(self, part_id: str, attempt: int, cause: Cause) -> None:
        """End the attempt at once, with Lost(cause). Without effect where it has ended, or is being killed."""

    def stop(self, part_id: str, attempt: int, cause: Cause) -> None:
        """Ask for Done(resume_at, cause) at the end of the batch. Without effect where the attempt has ended."""

    def close(self, grace: float) -> None:
        """End all: parts are asked to stop, and killed with Cause.SHUTDOWN after `grace` seconds.

        When it returns, the sink has all ends and no worker is left. It may be called from any thread, and again with
        a shorter grace while another thread is still in it.
        """

    def workers(self) -> list[WorkerView]: ...

    def sources(self) -> list[SourceView]: ...

    def limit(self, workers: int | None) -> None:
        """Run at most so many parts at once on this machine, one at least; running ones go on. None: as configured."""

    def configure(self, config: Config) -> None:
        """Take up a changed configuration. What a worker gets at its start ([memory] cleanup_...) applies to new ones only."""

    def bench(self, node: str, why: str) -> None:
        """Give this node no parts for a while, longer each time: its workers fail, and those of other nodes may not.

        Without effect where the workers of this machine are the only ones.
        """

    def forget(self, source: str) -> None:
        """The job about this recording has ended: workers elsewhere drop what they were sent of it."""

    def clean_up(self) -> None:
        """Ask all workers of this machine that have a part to give memory back after their next batch."""

    def release_idle(self) -> None:
        """End the workers of this machine that have nothing to do."""

    def tick(self, now: float) -> None:
        """Do what is due at `now` (monotonic seconds). To be called about once a second from the main thread."""
