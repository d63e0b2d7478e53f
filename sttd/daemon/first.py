"""Jobs that a person wants before all others (`sttd next`): a list of numbers among the ledger's facts, the newest wish first.

It does not change whose turn it is otherwise: the worker's time is charged to the owner of the file as always.
"""

from __future__ import annotations

from collections.abc import Collection

from sttd.daemon.context import Context
from sttd.job import Job, State
from sttd.ledger.facts import FIRST
from sttd.ledger.request import MOST_FIRST
from sttd.rules.fairness import Queue

_OPEN = (State.QUEUED, State.RUNNING)


def put(context: Context, job: Job) -> tuple[int, ...]:
    """Put a job before all others, also before those that were put first earlier. It stays on the list until it has ended.

    Returns:
        The jobs that the list has no room for any more: those that were put first the longest time ago.
    """
    ledger = context.ledger
    others = [number for number in ledger.fact(FIRST) if number != job.id]
    waiting = [number for number in others if (other := ledger.find(number)) and other.state in _OPEN]
    kept = (job.id, *waiting)
    ledger.set_fact(FIRST, kept[:MOST_FIRST])
    return kept[MOST_FIRST:]


def pick(context: Context, passed: Collection[int]) -> tuple[Queue, Job] | None:
    """The first of them that may start now, and the queue it comes from."""
    for number in context.ledger.fact(FIRST):
        job = None if number in passed else context.ledger.find(number)
        if job is not None and job.state is State.QUEUED and job.copy_of is None and job.not_before <= 0:
            return ("served" if job.service > 0 else "fresh"), job
    return None
