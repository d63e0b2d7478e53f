"""What the parts of a shared-out recording mean for its job: which one is next, and the job's state and figures; pure.

A part is queued, running, done or failed. The job runs while a part runs, waits while one is left, fails with the first
one that is given up, and is whole when all of them are done. A fault of the recording or the machine (`SHARED`)
concerns all parts: while one part waits after such a fault, no other part begins, and that part is tried again first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sttd.job import Part, State
from sttd.part import Cause
from sttd.rules.policy import AT_FAULT

# causes that lie in the file or the machine, so that they concern all parts
SHARED = AT_FAULT | {Cause.GONE, Cause.CHANGED}


def state_of(parts: Sequence[Part], *, cancelled: bool) -> State:
    """The state of a job. `cancelled`: a person has cancelled it; it is so once no worker has a part of it any more."""
    states = {part.state for part in parts}
    if State.RUNNING in states:
        return State.RUNNING
    if cancelled:
        return State.CANCELLED
    if State.FAILED in states:
        return State.FAILED
    return State.COMMITTING if states == {State.DONE} else State.QUEUED


def startable(parts: Sequence[Part], *, decided: bool) -> Sequence[Part]:
    """The parts that may run now. Until the language is `decided`, only those up to the first that is not done."""
    first = next((at for at, part in enumerate(parts) if part.state is not State.DONE), len(parts))
    return parts if decided else parts[: first + 1]


def next_of(parts: Sequence[Part], now: float, *, turn: bool) -> Part | None:
    """The part that a worker gets next; None: none can begin now.

    Args:
        parts: those that may run, see `startable`.
        now: UTC seconds.
        turn: the job waited in the queue, and its turn has come; else other parts of it run.
    """
    if any(part.state is State.FAILED for part in parts):
        return None
    waiting = [part for part in parts if part.state is State.QUEUED]
    held = next((part for part in waiting if part.cause in SHARED), None)
    if held is not None:
        return held if turn else None  # the job's own row says how long it waits
    return next((part for part in waiting if part.not_before <= now), None)


def wait_of(parts: Iterable[Part]) -> dict[str, Any]:
    """What a waiting job's row takes from its parts: until when it waits, and why: `not_before`, `cause` and `error`."""
    waiting = [part for part in parts if part.state is State.QUEUED]
    held = next((part for part in waiting if part.cause in SHARED), None)
    until = held or min(waiting, key=lambda part: part.not_before, default=None)
    latest = held or max(waiting, key=lambda part: part.attempt, default=None)
    return {
        "not_before": 0.0 if until is None else until.not_before,
        "cause": None if latest is None else latest.cause,
        "error": None if latest is None else latest.error,
    }
