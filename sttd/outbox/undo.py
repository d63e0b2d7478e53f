"""Takes back the results of a job that a person cancelled; its source stays where it was dropped."""

from __future__ import annotations

import contextlib

from sttd.config import Config
from sttd.errors import SttdError
from sttd.fs.blame import Blame, blame
from sttd.job import Job
from sttd.outbox import former
from sttd.outbox.leftovers import remove_staging
from sttd.outbox.places import Places
from sttd.outbox.plan import Plan
from sttd.outbox.publish import STAGING, Unkept, existing_folder, opened
from sttd.outbox.source import give_back, has_successor


def undo(job: Job, config: Config, places: Places) -> bool:
    """Take back what was staged and placed. It may be killed anywhere, and is then repeated.

    Returns:
        False if it is too late: the source was filed away already, a newer file has its name (under another name it would
        become a new job), or earlier results were removed to make room for these.

    Raises:
        Absent: transcripts/ is not mounted.
        OSError: the machine's fault, or that of a file.
    """
    try:
        plan = Plan.from_json(job.plan or {})
    except SttdError:  # there is no plan yet
        plan = None
    if plan is not None:
        if plan.takes_source and not _is_there(plan, places) and not _is_untouched(plan, places):
            return False
        if not _withdraw(plan, places):
            return False
    remove_staging(job, config, places)
    return True


def _is_there(plan: Plan, places: Places) -> bool:
    try:
        return not has_successor(plan, places) and give_back(plan, places)
    except FileNotFoundError:  # even its folder is gone
        return False


def _withdraw(plan: Plan, places: Places) -> bool:
    """Move what `publish` has placed back into the staging folder; if that is gone, do nothing.

    Returns:
        False if it is too late: earlier results were removed to make room for these.

    Raises:
        Absent, OSError: as `publish`.
    """
    try:
        with contextlib.suppress(Unkept), opened(plan, places) as results:
            if results.are_final():
                return False
            results.take_back()
    except OSError as error:  # we may not enter the folder for the results, or its name is refused
        if blame(error) is Blame.MACHINE or not _is_untouched(plan, places):
            raise
    return True


def _is_untouched(plan: Plan, places: Places) -> bool:
    """Whether all results are still staged, without a second name, and no earlier results were removed for them.

    Then the source was not filed away by us either: if it is missing, somebody else took it.
    """
    with (
        contextlib.suppress(FileNotFoundError),
        places.open("transcripts") as transcripts,
        transcripts.below([STAGING, plan.staging]) as staging,
    ):
        staged = map(staging.file, plan.hashes)
        return all(seen is not None and seen.st_nlink == 1 for seen in staged) and _have_former(plan, places)
    return False


def _have_former(plan: Plan, places: Places) -> bool:
    """Whether the earlier results are there. Those that were set aside for the new ones get their names again."""
    if not plan.replaces:
        return True
    with contextlib.suppress(FileNotFoundError), existing_folder(plan, places) as folder:
        if former.has_removed(plan, folder, set()):
            return False
        former.put_back(plan, folder)
    return True
