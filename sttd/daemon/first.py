"""Jobs that a person wants before all others (`sttd next`): a list of numbers among the ledger's facts, the newest wish first.

Whose turn it is otherwise is not changed by it: the worker's time is charged to the owner of the file as always.
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
    """Before all others, also those that were put first before. It stays there until it has ended.

    Returns:
        The jobs for which there is no room any more: those that were put first before all others.
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
