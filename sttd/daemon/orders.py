"""What a worker is told to do: the model, the options, and where a job's checkpoint says to go on."""

from __future__ import annotations

import dataclasses
from typing import Any

from sttd.config import Config
from sttd.configfile import folder_options
from sttd.daemon.context import Context
from sttd.daemon.source import source_path
from sttd.job import Job
from sttd.ledger import WORK, Checkpoint, Resume
from sttd.ledger.checkpoint import options_key
from sttd.part import Existing, ModelSpec, Options, PartSpec

LONGEST_SLICE = 3600.0  # seconds, where `pool.job_timeout` is longer or infinite


def wanted(context: Context, job: Job) -> tuple[ModelSpec, Options]:
    """The model and the options of a job: those of its folder, with what a person asked for it alone."""
    config = configured(context, job)
    name = job.overrides.model or config.model.name
    spec = config.model_spec(name)
    if job.device is not None:
        spec = dataclasses.replace(spec, device=job.device)
    options = config.options()
    if job.overrides.language is not None:
        options = dataclasses.replace(options, language=job.overrides.language, languages=())
    if job.batch_size is not None:
        options = dataclasses.replace(options, batch_size=job.batch_size)
    return spec, options


def configured(context: Context, job: Job) -> Config:
    """The configuration for a job: the options of its folder are over those of its inbox."""
    chosen = job.folder_options.values
    config = context.config.of(job.source)
    return folder_options.overlaid(config, chosen) if chosen else config


def key_of(context: Context, job: Job) -> str:
    spec, options = wanted(context, job)
    return options_key(options, spec)


def checkpoint_of(context: Context, job: Job, key: str | None = None) -> Checkpoint:
    """The checkpoint of a job for the options of `key`; None: for those that it was begun with."""
    key = key or job.options_key or key_of(context, job)
    return Checkpoint(context.config.paths.state / WORK, job, key)


def heard(job: Job, resume: Resume) -> dict[str, Any]:
    """The checkpoint may know what the ledger does not: that was made anew, or missed the end of a chunk's writing."""
    known = next((place for place in resume.places.values() if place.language is not None), None)
    if job.language is not None or known is None:
        return {}
    return {"language": known.language, "language_probability": known.language_probability}


def part_spec(
    context: Context, job: Job, spec: ModelSpec, options: Options, resume: Resume, *, existing: Existing | None = None
) -> PartSpec:
    """The orders for the one part of a job."""
    return PartSpec(
        part_id=f"{job.id}.0",
        attempt=job.attempt,
        source=source_path(context, job),
        size=job.size,
        mtime_ns=job.mtime_ns,
        model=spec,
        options=options,
        places=resume.places,
        next_index=resume.index,
        existing=existing,
        budget=context.config.pool.job_timeout,
    )


def slice_of(context: Context) -> float:
    """Seconds that a worker spends on one job before it is another one's turn; the most that fairness makes up for."""
    return min(context.config.pool.job_timeout, LONGEST_SLICE)
