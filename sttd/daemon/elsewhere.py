"""Ends of attempts for which one machine of several is at fault: nothing goes to that machine, and no job waits."""

from __future__ import annotations

from sttd.daemon.context import Context, Running
from sttd.daemon.ending import HOLD_ALL, Ending
from sttd.part import Cause


def cause_of(context: Context, running: Running, cause: Cause) -> Cause:
    """Why a worker was lost.

    If a worker elsewhere ran out of time before it began, its machine hangs, or the recording made it hang. Which one is not
    known, just as for a broken connection, so the cause becomes LINE.
    """
    if cause is not Cause.TIMEOUT or not running.is_elsewhere or running.started is not None:
        return cause
    context.pool.bench(running.node, f"the worker {running.worker} did not come to its part in time")
    return Cause.LINE


def unreachable(context: Context, tries: int = 1) -> list[str]:
    """Why no worker can be reached, if each machine was tried `tries` times; empty: some worker may be."""
    found = [source for source in context.pool.sources() if source.slots]
    if not found or not all(source.is_cut_off and source.tries >= tries for source in found):
        return []
    return [f"no worker can be reached: {'; '.join(f'{source.name}: {source.away}' for source in found)}"]


def is_of_its_node(context: Context, running: Running, end: Ending) -> bool:
    """Whether another machine may do better: not if chunks cannot be stored here, or the job's own options are to blame."""
    if not context.config.has_others or running.torn:
        return False
    return end.cause is Cause.MACHINE or (end.cause in HOLD_ALL and end.trouble == HOLD_ALL[end.cause])


def let_wait(context: Context, running: Running, end: Ending) -> None:
    """Send nothing to the machine of an attempt for a while. If its worker has reported MACHINE, the pool has done so already."""
    if end.cause is not Cause.MACHINE:
        context.pool.bench(running.node, end.error or str(end.cause))
