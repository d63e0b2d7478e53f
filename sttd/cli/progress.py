"""How far the jobs of one run are, and how fast they go: what `sttd demo` and `sttd transcribe` draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sttd.job import Job
from sttd.view import access, figures

if TYPE_CHECKING:
    from sttd.config import Config


@dataclass(frozen=True, slots=True)
class At:
    """Where a worker is; seconds of audio."""

    done: float
    total: float | None  # None: the file does not say it
    attempt: int
    begun: float  # where this attempt began


@dataclass(frozen=True, slots=True)
class Picture:
    """The jobs, and how far those are that a worker has."""

    jobs: tuple[Job, ...] = ()
    at: dict[int, At] = field(default_factory=dict)


def look(config: Config, before: int = 0) -> Picture:
    """The jobs of this run, which are newer than number `before`, and how far they are."""
    if not access.has_ledger(config):
        return Picture()
    with access.reading(config) as ledger:
        jobs = tuple(job for job in ledger.jobs(newest=False) if job.id > before)
        workers = figures.live_figures(ledger).get("workers", [])
    return Picture(
        jobs,
        {worker["job"]: _at(worker, jobs) for worker in workers if worker["job"] is not None},
    )


def _at(worker: dict[str, Any], jobs: tuple[Job, ...]) -> At:
    """How far a worker's job is. The parts of a recording that is shared out count together, as one attempt."""
    job = next((job for job in jobs if job.id == worker["job"]), None)
    if job is not None and job.shared is not None:
        return At(job.progress, job.audio_seconds, 0, 0.0)
    return At(worker["done"], worker["total"], worker["attempt"], worker["resumed_at"] or 0.0)


@dataclass(slots=True)
class Pace:
    """How fast one attempt goes, by what is seen of it. A batch is done at a time: between two batches nothing changes."""

    first: float  # when it was first seen, and
    begun: float  # how much of the audio was done then; both in seconds, as all here
    last: float  # when it last went on, and
    done: float  # how far

    def note(self, done: float, now: float) -> None:
        if done != self.done:
            self.done, self.last = done, now

    def speed(self) -> float | None:
        """Seconds of audio a second; None: not known yet."""
        if self.done <= self.begun or self.last <= self.first:
            return None
        return (self.done - self.begun) / (self.last - self.first)

    def left(self, total: float, now: float) -> float | None:
        """Seconds that it will take from now on; None: not known yet."""
        speed = self.speed()
        return None if speed is None else max(0.0, (total - self.done) / speed - (now - self.last))


class Paces:
    """The paces of all attempts that are seen."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Pace] = {}

    def note(self, picture: Picture, now: float) -> None:
        """The clock of an attempt begins when its model is ready."""
        for job in picture.jobs:
            at = picture.at.get(job.id)
            if at is None or job.model is None:
                continue
            pace = self._known.setdefault((job.id, at.attempt), Pace(now, max(at.begun, at.done), now, at.done))
            pace.note(at.done, now)

    def of(self, job: Job, at: At) -> Pace | None:
        return self._known.get((job.id, at.attempt))
