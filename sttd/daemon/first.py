"""Jobs that a person wants before all others (`sttd next`): a list of numbers among the ledger's facts, the newest wish first.

Whose turn it is otherwise is not changed by it: the worker's time is charged to the owner of the file as always.
"""

from __future__ import annotations

from collections.abc import Collection

from sttd.daemon.context import Context
from sttd.job import Job, State
from sttd.ledger.facts import FIRST
from sttd.rules.fairness import Queue

_OPEN = (State.QUEUED, State.RUNNING)
MOST = 20  # numbers that are kept: each is looked up whenever a job may start


def put(context: Context, job: Job) -> None:
    """Before all others, also those that were put first before. It stays there until it has ended."""
    ledger = context.ledger
    others = [number for number in ledger.fact(FIRST) if number != job.id]
    waiting = [number for number in others if (other := ledger.find(number)) and other.state in _OPEN]
    ledger.set_fact(FIRST, (job.id, *waiting)[:MOST])


def pick(context: Context, passed: Collection[int]) -> tuple[Queue, Job] | None:
    """The first of them that may start now, and the queue it comes from."""
    for number in context.ledger.fact(FIRST):
        job = None if number in passed else context.ledger.find(number)
        if job is not None and job.state is State.QUEUED and job.copy_of is None and job.not_before <= 0:
            return ("served" if job.service > 0 else "fresh"), job
    return None
