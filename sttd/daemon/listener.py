"""Who gets the transcript while it is made: a person who looks on (`sttd transcribe`), or nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sttd.job import Job
from sttd.part import Chunk


class Listener(Protocol):
    """Every method is called in the loop's thread, and must not hold it up."""

    listens: bool  # False: nothing is of interest

    def begin(self, stop: Callable[[], None]) -> None:
        """The loop begins. From here on the process may have further threads; any of them may call `stop`, which ends it."""

    def heard(self, job: Job, chunks: Sequence[Chunk], done: int) -> None:
        """Chunks are checkpointed; up to sample `done` nothing is missing in any channel.

        Those of a job come in order. Some may come again, after its checkpoint was damaged.
        """

    def anew(self, job: Job) -> None:
        """The file has changed: what was heard of it counts no more."""

    def ended(self, job: Job) -> None:
        """A job has ended: done, failed or cancelled."""


class Nobody:
    """Listens to nothing: the daemon's results are files."""

    listens = False

    def begin(self, stop: Callable[[], None]) -> None: ...

    def heard(self, job: Job, chunks: Sequence[Chunk], done: int) -> None: ...

    def anew(self, job: Job) -> None: ...

    def ended(self, job: Job) -> None: ...
