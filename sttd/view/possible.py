"""Whether a request about a job can be met, where its row is not enough to decide that; rules/refusals.py has the rest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sttd.errors import SttdError
from sttd.fs.patience import answers
from sttd.job import Job
from sttd.ledger import moved
from sttd.rules import refusals
from sttd.text import printable

if TYPE_CHECKING:
    from sttd.config import Config


class NotPossible(SttdError):
    """The job is not in a state in which this can be done."""


def refusal_of_redo(job: Job, config: Config) -> str:
    """Why a job cannot be done again: it has not ended, or its source is no longer there; "": it can be."""
    why = refusals.of_redo(job)
    if why:
        return why
    noted = job.location or config.path_of(job.source)

    def is_there() -> bool:
        return os.path.lexists(moved.location(job, config.paths) or noted)

    # a share that does not answer refuses nothing: the daemon will see
    if not answers({"there": is_there}).get("there", True):
        return f"the source of job {job.id} is gone: {printable(noted)}"
    return ""
