"""Which recordings were looked at before their turn; see library.py."""

from __future__ import annotations

from dataclasses import dataclass, field

from sttd.job import Job

KEPT = 10_000  # looks
Key = tuple[int, int, int]  # number, size and time of change of a job
Sidecars = tuple[tuple[str, str], ...]  # names and languages of the files beside a recording


@dataclass(slots=True)
class Looked:
    """Owned by the loop. A restart may lose it without harm: the recordings are looked at once more."""

    under_way: set[int] = field(default_factory=set)
    over: dict[Key, Sidecars] = field(default_factory=dict)  # until the job starts

    def end(self, job: Job, beside: Sidecars) -> None:
        """The recording of a job was looked at; `beside`: what lies beside it."""
        self.over[job.id, job.size, job.mtime_ns] = beside
        if len(self.over) > KEPT:  # jobs that never started: they were cancelled, or wait for others
            del self.over[next(iter(self.over))]
