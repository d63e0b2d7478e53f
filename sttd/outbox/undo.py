"""What was written for a job that a person cancelled is taken back; its source stays where it was dropped."""

from __future__ import annotations

import os

from sttd.config import Config
from sttd.errors import SttdError
from sttd.fs.moves import remove_tree
from sttd.job import Job
from sttd.outbox.plan import Plan
from sttd.outbox.publish import withdraw
from sttd.outbox.source import is_same, private_path, put_back
from sttd.outbox.stage import staging_folder, staging_name


def undo(job: Job, config: Config) -> bool:
    """Take back what was staged and placed; it can be killed anywhere, and is done again.

    Returns:
        False where it is too late: the source is filed away already.

    Raises:
        OSError: the machine's fault, or that of a file.
    """
    staging = os.path.join(staging_folder(config), staging_name(config, job.id))
    try:
        plan = Plan.from_json(job.plan or {})
    except SttdError:  # nothing was promised yet
        remove_tree(staging)
        return True
    private = private_path(plan)
    taken = plan.takes_source and not os.path.lexists(private)
    if taken and not (os.path.lexists(plan.source) and is_same(plan, plan.source)):
        return False
    withdraw(plan)
    put_back(private)
    remove_tree(staging)
    return True
