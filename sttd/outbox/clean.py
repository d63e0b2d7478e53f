"""At the start and at the end: what is half done and nobody will finish is put right.

Nothing is searched for: what is looked at are the staging folder and the places that the ledger's promises name.
Sources under a private name that no promise knows are met, and told, by the inbox's walk.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from sttd.config import Config
from sttd.errors import SttdError
from sttd.fs import moves
from sttd.job import Job, State
from sttd.outbox import failure, source
from sttd.outbox.plan import Plan
from sttd.outbox.stage import staging_folder, staging_name


def clean(config: Config, unfinished: Collection[Job]) -> None:
    """Remove what those left half written whose files were being moved, and the staging folders of all others."""
    live = {staging_name(config, job.id) for job in unfinished if job.state is State.COMMITTING}
    own = staging_name(config, 0)[:-1]
    staging = staging_folder(config)
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(staging):
            if name.startswith(own) and name not in live:
                moves.remove_tree(os.path.join(staging, name))
    for job in unfinished:
        with contextlib.suppress(OSError, SttdError):  # told when the job's files are moved
            _forget_parts(config, job)


def tidy(config: Config) -> None:
    """Leave no empty folder of ours among the transcripts."""
    with contextlib.suppress(OSError):  # not empty, or not there
        os.rmdir(staging_folder(config))


def _forget_parts(config: Config, job: Job) -> None:
    if job.state is State.FAILED:
        folder = failure.folder_of(job, config)
        Path(failure.part_of(job, folder)).unlink(missing_ok=True)
        moves.forget_copy(os.path.join(config.paths.inbox, job.source), folder)
        return
    plan = Plan.from_json(job.plan or {})
    moves.forget_copy(source.private_path(plan), plan.archive)
    for suffix in plan.hashes:
        moves.forget_copy(os.path.join(plan.staging, suffix), plan.folder)
