"""Where the workers of a pool come from.

A source gives out workers of one kind on one machine (a *node*): the processes of this machine, or what a command such as
`ssh gpu1 sttd worker` reaches. To add a kind, write a `Source` and a `Worker`, name the source in `build.py`, and run
`tests/pool/contract` over it.
"""

from __future__ import annotations

from typing import Protocol

from sttd.config import Config
from sttd.part import PartSpec
from sttd.pool.worker import Ears, Worker


class Source(Protocol):
    """Where workers of one kind on one node come from. Its methods are quick, and called in the main thread."""

    name: str  # of the node: `local`, or that of a `[[pool.remote]]`; a model that fails to load there is put on hold for it
    here: bool  # its workers use the memory of this machine
    ahead: bool  # its workers are hired before there is a part for them, and take one once they have said `ready`

    def slots(self, *, alone: bool) -> int:
        """How many parts may run at once, as it is configured now. `alone`: no worker elsewhere can be reached."""

    def most_slots(self, *, alone: bool) -> int:
        """How many slots it may have, once a cluster that is not reached yet is reached."""

    def configure(self, config: Config) -> None: ...

    def hire(self, number: int, ears: Ears) -> Worker:
        """A worker that is not started yet. `number`: the lowest that no other worker of this source has, from 0."""

    def fitted(self, part: PartSpec) -> PartSpec:
        """The part as a worker of this source gets it: its device and threads may be others than here."""

    def oom_kills(self) -> int:
        """How often the kernel there has killed for lack of memory; 0 where that is not known."""

    def close(self) -> None:
        """Called when the last worker is gone and no other one will be hired."""
