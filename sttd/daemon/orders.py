"""What a worker is told to do: the model, the options, and where a job's checkpoint says to go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sttd import sharing
from sttd.config import Config
from sttd.configfile import folder_options
from sttd.daemon.context import Context
from sttd.daemon.source import source_below, source_path
from sttd.job import Job, Part, State
from sttd.ledger import WORK, Checkpoint, Resume
from sttd.ledger.checkpoint import options_key
from sttd.ledger.whole import Whole
from sttd.part import Existing, ModelSpec, Options, PartSpec
from sttd.sharing import Decided, Share

NEVER = -1  # chunks: no checkpoint has so many
LONGEST_SLICE = 3600.0  # seconds, where `pool.job_timeout` is longer or infinite


def wanted(context: Context, job: Job, part: Part | None = None) -> tuple[ModelSpec, Options]:
    """The model and the options of a job: those of its folder, with what a person asked for it alone.

    `part`: the one of it that is to be begun; earlier attempts may have shown that it needs a smaller batch, or the CPU.
    """
    config, tried = configured(context, job), part or job
    name = job.overrides.model or config.model.name
    spec = config.model_spec(name)
    if tried.device is not None:
        spec = dataclasses.replace(spec, device=tried.device)
    options = config.options()
    if job.overrides.language is not None:
        options = dataclasses.replace(options, language=job.overrides.language, languages=())
    if tried.batch_size is not None:
        options = dataclasses.replace(options, batch_size=tried.batch_size)
    return spec, options


def configured(context: Context, job: Job) -> Config:
    """The configuration for a job: the options of its folder override those of its inbox."""
    chosen = job.folder_options.values
    config = context.config.of(job.source)
    return folder_options.overlaid(config, chosen) if chosen else config


def key_of(context: Context, job: Job) -> str:
    spec, options = wanted(context, job)
    return options_key(options, spec)


def checkpoint_of(context: Context, job: Job, key: str | None = None, part: Part | None = None) -> Checkpoint:
    """The checkpoint of a job, or of one part of it, for the options of `key`; None: for those that it was begun with."""
    key = key or job.options_key or key_of(context, job)
    return Checkpoint(context.config.paths.state / WORK, job, key, part)


def transcript_of(context: Context, job: Job) -> Checkpoint | Whole:
    """The chunks of a job whose parts are all done."""
    parts = context.ledger.parts(job)
    if parts:
        key = job.options_key or key_of(context, job)
        checkpoints = [checkpoint_of(context, job, key, part) for part in parts]
        for part, each in zip(parts, checkpoints, strict=True):
            each.expected = part.chunks if part.state is State.DONE else NEVER
        return Whole(checkpoints)
    checkpoint = checkpoint_of(context, job)
    checkpoint.expected = (job.plan or {}).get("chunks", 0)
    return checkpoint


def heard(job: Job, resume: Resume) -> dict[str, Any]:
    """The language, if only the checkpoint knows it: the ledger was made anew, or not written after the chunk."""
    known = next((place for place in resume.places.values() if place.language is not None), None)
    if job.language is not None or known is None:
        return {}
    return {"language": known.language, "language_probability": known.language_probability}


def asked(options: Options) -> dict[str, Any]:
    """The options that the words of a transcript depend on, as the transcript lists them."""
    words = dataclasses.asdict(options)
    return {name: value for name, value in words.items() if name not in ("batch_size", "max_gap", "max_audio", "cue")}


@dataclass(frozen=True, slots=True)
class Order:
    """The next attempt at a job, or at a part of it, and where it goes on."""

    job: Job
    part: Part | None  # None: all of the job, as far as is known
    key: str  # see `checkpoint.options_key`
    model: ModelSpec
    options: Options
    checkpoint: Checkpoint
    resume: Resume
    decided: Mapping[int, Decided] = field(default_factory=dict)  # of the whole recording, by channel


def part_spec(context: Context, job: Job, order: Order, existing: Existing | None = None) -> PartSpec:
    """The orders for an attempt. `job`: as it is now that the attempt has a number."""
    number = 0 if order.part is None else order.part.number
    return PartSpec(
        part_id=f"{job.id}.{number}",
        attempt=job.attempt,
        source=source_path(context, job),
        below=source_below(context, job),
        size=job.size,
        mtime_ns=job.mtime_ns,
        model=order.model,
        options=order.options,
        places=order.resume.places,
        next_index=order.resume.index,
        existing=existing,
        budget=context.config.pool.job_timeout,
        number=number,
        decided=order.decided if number else {},
        passes=order.part is None
        or not order.part.attempts,  # after a failed attempt, what lies before the part is decoded too
        **_sharing(context, job, order),
    )


def _sharing(context: Context, job: Job, order: Order) -> dict[str, Any]:
    """How the recording is shared out. One that was begun as one part stays one, whatever is configured now."""
    if job.shared is not None:
        return {"parts": job.shared.parts, "share": Share(job.shared.after, job.shared.length)}
    pool = context.config.pool
    share = sharing.wanted(pool.split_after, pool.part_length, context.pool.most_slots())
    if order.resume.index or share is None:
        return {"parts": 1}
    return {"parts": 0, "share": share}


def slice_of(context: Context) -> float:
    """Seconds that a worker spends on one job before it is another one's turn; the most that fairness makes up for."""
    return min(context.config.pool.job_timeout, LONGEST_SLICE)
