"""The workers of one `[[pool.remote]]` table."""

from __future__ import annotations

import functools

from sttd.config import Config, Remote
from sttd.part import PartSpec
from sttd.pool.command.carrier import Command
from sttd.pool.command.setup import setup_of
from sttd.pool.command.worker import CommandWorker, Terms
from sttd.pool.worker import Ears, Worker


class CommandSource:
    """See `Source`. A command is started once for each slot, when there is more to do than there are slots."""

    here = False
    ahead = True

    def __init__(self, config: Config, name: str) -> None:
        self.name = name
        self.configure(config)

    def slots(self, *, alone: bool) -> int:  # noqa: ARG002
        return self._remote.slots if self._remote else 0

    def most_slots(self, *, alone: bool) -> int:
        return self.slots(alone=alone)

    def configure(self, config: Config) -> None:
        """Workers that are hired already keep the settings that they were started with."""
        self._config = config
        self._remote: Remote | None = next((each for each in config.remotes if each.name == self.name), None)

    def hire(self, number: int, ears: Ears) -> Worker:
        assert self._remote is not None, "there is no slot"
        remote = self._remote
        setup = setup_of(
            self._config, number=number, slots=remote.slots, device=remote.device, cpu_threads=remote.cpu_threads
        )
        carry = functools.partial(Command, remote.command)
        terms = Terms(carry, setup, remote.start_timeout, self._config.pool.remote_timeout)
        return CommandWorker(f"{self.name}/{number + 1}", terms, ears)

    def fitted(self, part: PartSpec) -> PartSpec:
        return part

    def oom_kills(self) -> int:
        return 0

    def close(self) -> None:
        pass
