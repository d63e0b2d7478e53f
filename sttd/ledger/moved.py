"""Where sources lie when the folders were moved or copied since the ledger noted them: `cp -r`, a restored backup."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Any

from sttd.config import Paths
from sttd.job import Job


def location(job: Job, paths: Paths) -> str | None:
    """Where the source of a job lies, if not in the inbox (`Job.location`).

    A place outside of today's `archive/` and `failed/` was noted under other folders. Where one of today's has a file of the
    same size at the same place, that is the source: the other folders may belong to another sttd by now. The row stays
    as it is; the times of a copy may be others, and the next attempt takes the file as it is now.
    """
    noted = job.location
    folders = [os.fspath(paths.archive), os.fspath(paths.failed)]
    if not noted or any(noted.startswith(f"{folder}/") for folder in folders):
        return noted
    place = noted.split("/")[-1 - job.source.count("/") :]  # it was filed below the folders that it had in the inbox
    for folder in folders:
        found = "/".join([folder, *place])
        with contextlib.suppress(OSError):
            seen = os.lstat(found)
            if stat.S_ISREG(seen.st_mode) and seen.st_size == job.size:
                return found
    return noted


def relocated(job: Job, place: str, **promised: str) -> dict[str, Any]:
    """The changes of a job whose source lies at `place`.

    What is promised about its files (`outbox.Plan`, once its results are staged) names the place too, and what else is
    `promised` from now on.
    """
    if job.plan is None or "location" not in job.plan:
        return {"location": place}
    return {"location": place, "plan": job.plan | {"location": place} | promised}
