"""What a result says about itself beside its segments."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from sttd import __version__
from sttd.job import Job


@dataclass(frozen=True, slots=True)
class Meta:
    """The head of the JSON result, in its order. Durations are seconds, times UTC seconds since the epoch."""

    job: int
    source: dict[str, Any]  # name (relative to the inbox), size in bytes, sha256
    language: str  # "und": nothing was said
    language_probability: float | None
    model: str | None
    requested_model: str | None
    fallback_reason: str | None
    duration: float
    warnings: tuple[str, ...]
    timings: dict[str, float | None]
    sttd: str = __version__

    @classmethod
    def of(cls, job: Job, *, warnings: tuple[str, ...], finished_at: float) -> Meta:
        return cls(
            job=job.id,
            source={"name": job.source, "size": job.size, "sha256": job.sha256},
            language=job.language or "und",
            language_probability=job.language_probability,
            model=job.model,
            requested_model=job.requested_model,
            fallback_reason=job.fallback_reason,
            duration=job.audio_seconds or 0.0,
            warnings=warnings,
            timings={"queued_at": job.queued_at, "finished_at": finished_at, "worker_seconds": round(job.service, 3)},
        )

    def hashed(self, sha256: str) -> Meta:
        return dataclasses.replace(self, source=self.source | {"sha256": sha256})
