"""The configuration: every key with its default, its check and its meaning, read from file, environment and `--set`.

`--set section.key=value` overrides the environment (`STTD_SECTION__KEY`), which overrides the file, which overrides the defaults.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sttd import inboxes
from sttd.config.hearing import Expert, Model, Output, Subtitles, Transcribe
from sttd.config.ray import Ray
from sttd.config.receiver import Receiver
from sttd.config.remote import Remote
from sttd.config.service import Limits, Log, Memory, Paths, Pool, Retention, Watch
from sttd.config.watched import Watched
from sttd.config.web import Web
from sttd.host.capacity import capacity

if TYPE_CHECKING:
    from pathlib import Path

    from sttd.part import ModelSpec, Options

__all__ = [
    "Config",
    "Expert",
    "Limits",
    "Log",
    "Memory",
    "Model",
    "Output",
    "Paths",
    "Pool",
    "Ray",
    "Receiver",
    "Remote",
    "Retention",
    "Section",
    "Subtitles",
    "Transcribe",
    "Watch",
    "Watched",
    "Web",
    "sections",
]


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be configured, one section a field. `configfile.load` makes it."""

    paths: Paths = field(default_factory=Paths)
    watch: Watch = field(default_factory=Watch)
    pool: Pool = field(default_factory=Pool)
    ray: Ray = field(default_factory=Ray, metadata={"section": "pool.ray"})
    model: Model = field(default_factory=Model)
    transcribe: Transcribe = field(default_factory=Transcribe)
    expert: Expert = field(default_factory=Expert)
    memory: Memory = field(default_factory=Memory)
    output: Output = field(default_factory=Output)
    subtitles: Subtitles = field(default_factory=Subtitles)
    retention: Retention = field(default_factory=Retention)
    limits: Limits = field(default_factory=Limits)
    log: Log = field(default_factory=Log)
    web: Web = field(default_factory=Web)
    # no key: how a person calls this sttd, with --config or --root, for all advice that names a command
    program: str = "sttd"
    watched: tuple[Watched, ...] = ()  # the [[watch]] tables
    receivers: tuple[Receiver, ...] = ()  # the [[notify]] tables
    remotes: tuple[Remote, ...] = ()  # the [[pool.remote]] tables

    def inboxes(self) -> dict[str, Path]:
        """Where each inbox lies, by its name; "" is the first one."""
        return {"": self.paths.inbox, **{each.name: each.inbox for each in self.watched}}

    def each_inbox(self) -> dict[str, Config]:
        """The configuration for the recordings of each, by the same names; `paths.inbox` is the inbox."""
        return {"": self, **{each.name: self.over(each) for each in self.watched}}

    def of(self, source: str) -> Config:
        """The configuration for the recordings of the inbox that a job's source was dropped into."""
        name, _ = inboxes.split(source)
        if not name:
            return self
        unknown = Watched(name, inboxes.unknown(self.paths.state, name))
        return self.over(next((each for each in self.watched if each.name == name), unknown))

    def over(self, table: Watched) -> Config:
        """The configuration for the recordings of a table's inbox: what it does not set is as in this one."""
        changed = {name: dataclasses.replace(getattr(self, name), **keys) for name, keys in table.values.items()}
        paths = dataclasses.replace(self.paths, inbox=table.inbox)
        return dataclasses.replace(self, **changed, paths=paths, watched=())

    def path_of(self, source: str) -> str:
        """Where a source lies that was not filed away."""
        return os.path.join(self.of(source).paths.inbox, inboxes.split(source)[1])  # noqa: PTH118 - bytes-safe strings

    def settle(self) -> float:
        """Seconds without change that make a file settled: 60 s at least of the default with `watch.polling`."""
        default = Watch().settle
        return 60.0 if self.watch.polling and self.watch.settle == default else self.watch.settle

    def options(self) -> Options:
        """What a worker needs of the configuration to transcribe."""
        from sttd.part import CueRoom, Options  # noqa: PLC0415 - commands that only look do without it

        words = dataclasses.asdict(self.transcribe) | dataclasses.asdict(self.expert)
        del words["replace"], words["channel_names"]  # the outbox's: a checkpoint keeps what was heard, and where
        set_as = self.subtitles
        cue = None
        if not {"srt", "vtt", "lrc"}.isdisjoint(self.output.formats):
            cue = CueRoom(set_as.lines, set_as.line_length, set_as.longest, self.transcribe.label())
        return Options(**words, max_gap=self.limits.max_gap, max_audio=self.limits.max_audio, cue=cue)

    def model_spec(self, name: str | None = None, hold: str = "") -> ModelSpec:
        """What a worker is told to load: the configured model, or `name` for one job alone."""
        from sttd.part import MOST_LANES, ModelSpec  # noqa: PLC0415 - commands that only look do without it

        model = self.model
        wanted = name or model.name
        return ModelSpec(
            name=wanted,
            fallback="" if model.fallback == wanted else model.fallback,
            device=model.device,
            compute_type=model.compute_type,
            cpu_threads=model.cpu_threads or capacity().cores_each(self.worker_count()),
            lanes=min(MOST_LANES, self.transcribe.batch_size),
            load_timeout=model.load_timeout,
            hold=hold,
        )

    @property
    def has_others(self) -> bool:
        """Whether there are workers on other machines."""
        return bool(self.remotes) or self.pool.backend == "ray"

    def worker_count(self) -> int:
        """Workers of this machine: `pool.workers`, or for auto as many as it has room for."""
        return max(0, self.pool.workers or capacity().workers(self.model.device))


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the file."""

    name: str  # as it is written: "pool", "pool.ray"
    field: str  # of `Config`
    default_factory: Callable[[], Any]

    def of(self, config: Config) -> Any:
        return getattr(config, self.field)


def sections() -> list[Section]:
    """Those of a configuration, in their order."""
    return [
        Section(each.metadata.get("section", each.name), each.name, each.default_factory)
        for each in dataclasses.fields(Config)
        if each.default_factory is not dataclasses.MISSING
    ]
