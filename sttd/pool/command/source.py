"""The workers of one `[[pool.remote]]` table."""

from __future__ import annotations

import functools

from sttd import __version__
from sttd.config import Config, Remote
from sttd.part import PartSpec
from sttd.pool.command.carrier import Command
from sttd.pool.command.worker import CommandWorker, Terms
from sttd.pool.wire import PROTOCOL, Setup
from sttd.pool.worker import Ears, Worker

_BEATS = 6  # at least, within the time of silence
_BEAT = 5.0  # seconds between two, at most
_SOONER = 2 / 3  # of the time of silence: the far side has ended before we give its part to another


class CommandSource:
    """See `Source`. A command is started once for each slot, when there is more to do than there are slots."""

    here = False
    ahead = True

    def __init__(self, config: Config, name: str) -> None:
        self.name = name
        self.configure(config)

    def slots(self, *, alone: bool) -> int:  # noqa: ARG002
        return self._remote.slots if self._remote else 0

    def configure(self, config: Config) -> None:
        """What a worker was told at its start stays with it."""
        self._config = config
        self._remote: Remote | None = next((each for each in config.remotes if each.name == self.name), None)

    def hire(self, number: int, ears: Ears) -> Worker:
        assert self._remote is not None, "there is no slot"
        carry = functools.partial(Command, self._remote.command)
        terms = Terms(carry, self._setup(self._remote, number), self._remote.start_timeout, self._silence)
        return CommandWorker(f"{self.name}/{number + 1}", terms, ears)

    def fitted(self, part: PartSpec) -> PartSpec:
        return part

    def oom_kills(self) -> int:
        return 0

    def close(self) -> None:
        pass

    @property
    def _silence(self) -> float:
        return self._config.pool.remote_timeout

    def _setup(self, remote: Remote, number: int) -> Setup:
        memory, model = self._config.memory, self._config.model
        return Setup(
            version=__version__,
            protocol=PROTOCOL,
            silence=_SOONER * self._silence,
            beat=min(_BEAT, self._silence / _BEATS),
            device=remote.device,
            usual_device=model.device,
            cpu_threads=remote.cpu_threads,
            cleanup_every_chunks=memory.cleanup_every_chunks,
            cleanup_cooldown=memory.cleanup_cooldown,
            jobs_per_worker=self._config.pool.jobs_per_worker,
            model=model.name,
            fallback=model.fallback,
            number=number,
            slots=remote.slots,
        )
