"""What ended an attempt and is the matter of one machine of several: that machine waits, and no job does."""

from __future__ import annotations

from sttd.daemon.context import Context, Running
from sttd.daemon.ending import HOLD_ALL, Ending
from sttd.part import Cause


def cause_of(context: Context, running: Running, cause: Cause) -> Cause:
    """Why a worker was lost.

    Where one elsewhere never came to its part in all its time, its machine hangs, or the recording made it hang: that is as
    little known as of a line that broke.
    """
    if cause is not Cause.TIMEOUT or not running.is_elsewhere or running.started is not None:
        return cause
    context.pool.bench(running.node, f"the worker {running.worker} did not come to its part in time")
    return Cause.LINE


def unreachable(context: Context, tries: int = 1) -> list[str]:
    """Why nobody can transcribe, where that is so, and each machine was tried so many times."""
    found = [source for source in context.pool.sources() if source.slots]
    if not found or not all(source.is_cut_off and source.tries >= tries for source in found):
        return []
    return [f"no worker can be reached: {'; '.join(f'{source.name}: {source.away}' for source in found)}"]


def is_of_its_node(context: Context, running: Running, end: Ending) -> bool:
    """Whether another machine may do better: not where chunks cannot be kept here, or the job asks for what others do not."""
    if not context.config.has_others or running.torn:
        return False
    return end.cause is Cause.MACHINE or (end.cause in HOLD_ALL and end.trouble == HOLD_ALL[end.cause])


def let_wait(context: Context, running: Running, end: Ending) -> None:
    """Nothing goes to the machine of an attempt for a while. Where it is its own fault alone, the pool has seen to that."""
    if end.cause is not Cause.MACHINE:
        context.pool.bench(running.node, end.error or str(end.cause))
