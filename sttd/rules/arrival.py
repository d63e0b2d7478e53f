"""What a settled file means: a new job, a known one, or one that came back or changed."""

from __future__ import annotations

import enum

from sttd.job import Identity, Job, State
from sttd.part import Cause


class Arrival(enum.Enum):
    """What a settled file means."""

    NEW = "a new job"
    KNOWN = "nothing: the job is there"
    CHANGED = "its waiting job is about the file as it is now"
    RESTART = "its running job starts again with the file as it is now"
    BACK = "its ended job is queued again"


def arrival_of(latest: Job | None, found: Identity, *, in_inbox: bool) -> Arrival:
    """What a settled file means, given the newest job of its path.

    Args:
        latest: the newest job of this path whose source is in the inbox, not filed away; None: there is none.
        found: the file as it is now.
        in_inbox: the job has ended and its source was left in the inbox, so that finding the file there is no news.
    """
    if latest is None:
        return Arrival.NEW
    same = latest.identity == found
    if latest.plan is not None:
        # the file is being moved to archive/ or failed/, and may be seen once more; the inbox reports again afterwards
        return Arrival.KNOWN
    if latest.state is State.QUEUED:
        # a job whose file changed while a worker had it waits for this report that the file has settled
        return Arrival.KNOWN if same and latest.cause != Cause.CHANGED else Arrival.CHANGED
    if latest.state is State.RUNNING:
        return Arrival.KNOWN if same else Arrival.RESTART
    if latest.state is State.VANISHED:
        return Arrival.BACK if same else Arrival.NEW
    return Arrival.KNOWN if same and in_inbox else Arrival.NEW


def left_in_inbox(job: Job) -> bool:
    """Whether the source of an ended job was left in the inbox, whatever `output.source` is set to now."""
    return job.state in (State.DONE, State.FAILED, State.CANCELLED) and job.location is None
