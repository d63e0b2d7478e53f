"""`run --drain` and `transcribe`: when all is worked off that can be, and how it went, in words."""

from __future__ import annotations

from sttd.daemon.context import Context
from sttd.daemon.ending import STREAK
from sttd.daemon.whereabouts import is_away_for_long
from sttd.job import State
from sttd.rules.policy import AT_FAULT

TRIES = 2


def is_drained(context: Context) -> bool:
    """Whether every file that is a job has ended, or waits for a machine that does not let it.

    While a person has paused the queue, the drain waits: what waits can still end. The log says how to go on.
    """
    if (
        context.running
        or context.trial.under_way
        or context.checks.under_way
        or context.errands.under_way
        or context.upkeep.under_way
    ):
        return False
    now = context.clock()
    if not all(context.filing.waits(number, now) for number in context.ledger.planned()):
        return False
    if context.inbox is not None and not context.inbox.idle():
        return is_away_for_long(context)
    waiting = context.ledger.counts()[State.QUEUED]
    return not waiting or _is_held_up(context) or context.ledger.only_waits_for(tuple(AT_FAULT))


def _is_held_up(context: Context) -> bool:
    """Whether no job starts; an error that several jobs met is given some more tries before that is believed."""
    holding = context.troubles.holding()
    return bool(holding - {STREAK}) or (STREAK in holding and context.streaks.in_vain(context.clock()) >= TRIES)


def left(context: Context) -> int:
    """Jobs that have not come to their end."""
    counts = context.ledger.counts()
    return counts[State.QUEUED] + counts[State.COMMITTING]


def is_whole(context: Context) -> bool:
    """Whether each file that was dropped has its result."""
    return not context.failed_now and not left(context) and not is_away_for_long(context)


def outcome(context: Context) -> str:
    """Why the daemon ends."""
    waiting, troubles = left(context), context.troubles.texts()
    if not waiting and is_away_for_long(context):
        return "; ".join(troubles)
    if not waiting:
        return f"every file has come to its end{_left_alone(context)}"
    jobs = "1 job waits" if waiting == 1 else f"{waiting} jobs wait"
    return f"{jobs} for what is wrong with this machine" + (f": {'; '.join(troubles)}" if troubles else "")


def _left_alone(context: Context) -> str:
    """What was no job, in words."""
    ignored = context.inbox.ignored if context.inbox is not None else {}
    words = [f"{count} ({reason})" for reason, count in sorted(ignored.items())]
    return f"; left alone in the inbox: {', '.join(words)}" if words else ""
