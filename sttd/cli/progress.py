"""How far the jobs of one run are: what `sttd demo` draws while its daemon works."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sttd.cli import access, figures
from sttd.job import Job

if TYPE_CHECKING:
    from sttd.config import Config


@dataclass(frozen=True, slots=True)
class Picture:
    """The jobs, and the share from 0 to 1 that is done of those that a worker has."""

    jobs: tuple[Job, ...] = ()
    progress: dict[int, float | None] = field(default_factory=dict)


def look(config: Config, before: int = 0) -> Picture:
    """The jobs of this run, which are newer than number `before`, and how far they are."""
    if not access.has_ledger(config):
        return Picture()
    with access.reading(config) as ledger:
        jobs = tuple(job for job in ledger.jobs(newest=False) if job.id > before)
        workers = figures.live_figures(ledger).get("workers", [])
    workers = [worker for worker in workers if worker["job"] is not None]
    return Picture(jobs, {worker["job"]: worker["progress"] for worker in workers})
