"""At the start and at the end: what is half done and nobody will finish is put right.

Nothing is searched for: what is looked at are the staging folder and the places that the ledger's promises name.
Sources under a private name that no promise knows are met by the inbox's walk.
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
    """Remove half copies of the jobs whose files are being moved, and the staging folders of all other jobs.

    To be called before anything is staged. A folder that is not mounted, or fails, is left as it is: whoever moves files
    there meets the same trouble.
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
    """Remove the staging folder of a job that the ledger calls done. What a kill leaves of it goes at the next start.

    So does the record of an earlier failure go, where nothing else of the job lies in failed/.
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
    """All at once, as nobody knows the new name: of half a folder it would seem that the rest of the results is in place."""
    gone = f"{name}.gone"
    staging.remove_tree(gone)
    with contextlib.suppress(FileNotFoundError):
        staging.rename(name, staging, gone)
        staging.sync()
    staging.remove_tree(gone)


def tidy(config: Config) -> None:
    """Leave no empty folder of ours among the transcripts."""
    with contextlib.suppress(OSError):  # not empty, or not there
        os.rmdir(os.path.join(config.paths.transcripts, STAGING))


def _discard_temporaries(job: Job, places: Places) -> None:
    """Half copies of a source and of results. The two may be on different file systems, and one of them away."""
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
