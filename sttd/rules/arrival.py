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
        latest: that job, if there was one; it is about the file in the inbox, and not one that lies elsewhere.
        found: the file as it is now.
        in_inbox: the job's source was left in the inbox when it ended, so that finding it says nothing.
    """
    if latest is None:
        return Arrival.NEW
    same = latest.identity == found
    if latest.plan is not None:
        # while it is being filed away, or put aside, the file may be seen once more; the inbox tells again afterwards
        return Arrival.KNOWN
    if latest.state is State.QUEUED:
        # one that was changed under its worker waits for this word that it has settled
        return Arrival.KNOWN if same and latest.cause != Cause.CHANGED else Arrival.CHANGED
    if latest.state is State.RUNNING:
        return Arrival.KNOWN if same else Arrival.RESTART
    if latest.state is State.VANISHED:
        return Arrival.BACK if same else Arrival.NEW
    return Arrival.KNOWN if same and in_inbox else Arrival.NEW


def left_in_inbox(job: Job) -> bool:
    """Whether the source of an ended job was left in the inbox, whatever `output.source` says by now."""
    return job.state in (State.DONE, State.FAILED, State.CANCELLED) and job.location is None
