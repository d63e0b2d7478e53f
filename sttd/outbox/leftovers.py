"""Removes half-finished files that no job will finish, at the start and at the end.

No folder is searched: only the staging folder and the places named by plans in the ledger are looked at.
The scan of the inbox finds sources with a private name that belong to no plan.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection

from sttd.config import Config
from sttd.errors import SttdError
from sttd.fs import copies
from sttd.fs.folder import Folder
from sttd.job import Job, State
from sttd.outbox import failure, names
from sttd.outbox.places import Places
from sttd.outbox.plan import BESIDE, Plan, source_path
from sttd.outbox.publish import STAGING, existing_folder
from sttd.outbox.stage import staging_name


def remove_leftovers(config: Config, places: Places, unfinished: Collection[Job]) -> None:
    """Remove incomplete copies of jobs whose files are being moved, and the staging folders of all other jobs.

    To be called before anything is staged. Errors are ignored, such as a folder that is not mounted: the next job that moves
    files there meets and reports the same error.
    """
    live = {staging_name(config, job.id) for job in unfinished if job.state is State.COMMITTING}
    own = staging_name(config, 0)[:-1]
    with (
        contextlib.suppress(OSError, SttdError),
        places.open("transcripts") as transcripts,
        transcripts.below([STAGING]) as staging,
    ):
        for name in staging.names():
            if name.startswith(own) and name not in live:
                staging.remove_tree(name)
    for job in unfinished:
        with contextlib.suppress(OSError, SttdError):
            _discard_temporaries(job, places)


def remove_staging(job: Job, config: Config, places: Places) -> None:
    """Remove the staging folder of a job that the ledger calls done. What a kill leaves of it is removed at the next start.

    With `output.place = "beside"` the record of an earlier failure in failed/ is removed too: no source lies beside it.
    """
    with (
        contextlib.suppress(OSError, SttdError),
        places.open("transcripts") as transcripts,
        transcripts.below([STAGING]) as staging,
    ):
        _remove(staging, staging_name(config, job.id))
    if config.output.place == BESIDE:
        with contextlib.suppress(OSError, SttdError):
            failure.remove_record(job, places)


def _remove(staging: Folder, name: str) -> None:
    """Rename the folder, then remove it: if a kill left it with half of its files, the rest would seem to be in place."""
    gone = f"{name}.gone"
    staging.remove_tree(gone)
    with contextlib.suppress(FileNotFoundError):
        staging.rename(name, staging, gone)
        staging.sync()
    staging.remove_tree(gone)


def tidy(config: Config) -> None:
    """Remove the folder for staging from the transcripts, if it is empty."""
    with contextlib.suppress(OSError):  # not empty, or not there
        os.rmdir(os.path.join(config.paths.transcripts, STAGING))


def _discard_temporaries(job: Job, places: Places) -> None:
    """Remove incomplete copies of a job's source and results. The two may be on different file systems, and one of them away."""
    if job.state is State.FAILED:
        with places.open("failed") as failed, failed.below(names.split(job.source)[0]) as folder:
            folder.discard(failure.temporary_of(job))
            folder.discard(copies.temporary_of(source_path(job, places)))
        return
    plan = Plan.from_json(job.plan or {})
    with contextlib.suppress(OSError, SttdError):
        _discard_temporary_of_source(job, plan, places)
    staging = os.path.join(places.paths.transcripts, STAGING, plan.staging)
    with existing_folder(plan, places) as folder:
        for suffix in plan.hashes:
            folder.discard(copies.temporary_of(os.path.join(staging, suffix)))


def _discard_temporary_of_source(job: Job, plan: Plan, places: Places) -> None:
    private = os.path.join(os.path.dirname(source_path(job, places)), plan.private_name)
    with places.open("archive") as archive, archive.below(names.split(job.source)[0]) as folder:
        folder.discard(copies.temporary_of(private))
