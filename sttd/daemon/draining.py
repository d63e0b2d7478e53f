"""`run --drain` and `transcribe`: when everything is done that can be, and how it went, in words."""

from __future__ import annotations

from collections.abc import Iterable

from sttd.daemon import by_folder, elsewhere
from sttd.daemon.context import Context
from sttd.daemon.ending import STREAK
from sttd.daemon.filing import PAGE
from sttd.daemon.whereabouts import is_away_for_long
from sttd.job import State
from sttd.rules.policy import AT_FAULT
from sttd.text import printable

TRIES = 2


def is_drained(context: Context) -> bool:
    """Whether every job has ended, or waits for a fault of a machine, for bad options or for an inbox that is away.

    While a person has paused the queue, the drain waits: the waiting jobs can still end. The log says how to go on.
    """
    work = context.work
    errands = (work.checks, work.errands, work.upkeep, work.models)
    if context.running or context.judging.trial.under_way or any(each.under_way for each in errands):
        return False
    restless = [] if context.inbox is None else context.inbox.restless()
    if not all(is_away_for_long(context, name) for name in restless):
        return False
    if len(restless) == len(context.config.inboxes()):
        return _is_filed(context)
    waiting = context.ledger.counts()[State.QUEUED]
    if waiting and not _is_held_up(context) and not _is_in_vain(context):
        return False
    return _is_filed(context)


def _is_in_vain(context: Context) -> bool:
    """Whether every waiting job waits for a fault of a machine, and no other machine can take it now."""
    if not context.ledger.only_waits_for(tuple(AT_FAULT)):
        return False
    return not (context.pool.can_grow() and context.ledger.waiting_owners())


def _is_filed(context: Context) -> bool:
    """Whether no job's files can be moved now. Asked last, and ended by the first job whose files can be: it reads the rows."""
    now, last = context.clock(), 0
    while page := context.ledger.planned(last, PAGE):
        if not all(
            context.filing.tries.waits(number, now) or context.filing.disks.waits(number, now) for number in page
        ):
            return False
        last = page[-1]
    return True


def _is_held_up(context: Context) -> bool:
    """Whether no job starts. A streak of errors, or unreachable machines, count only after `TRIES` tries."""
    holding = context.troubles.holding()
    if elsewhere.unreachable(context, TRIES):
        return not any(worker.state == "connecting" for worker in context.pool.workers())
    return bool(holding - {STREAK}) or (STREAK in holding and context.judging.streaks.in_vain(context.clock()) >= TRIES)


def left(context: Context) -> int:
    """Jobs that have not come to their end."""
    counts = context.ledger.counts()
    return counts[State.QUEUED] + counts[State.COMMITTING]


def is_whole(context: Context) -> bool:
    """Whether each file that was dropped has its result."""
    return not context.counts.failed_now and not left(context) and not _is_one_away(context)


def _is_one_away(context: Context) -> bool:
    """Whether an inbox has been away for long."""
    return any(is_away_for_long(context, name) for name in context.config.inboxes())


def outcome(context: Context) -> str:
    """Why the daemon ends."""
    waiting = left(context)
    troubles = [*context.troubles.texts(without=by_folder.TROUBLES), *elsewhere.unreachable(context)]
    if not waiting and _is_one_away(context):
        return "; ".join(troubles)
    if not waiting:
        return f"every file has come to its end{_left_alone(context)}"
    held = context.ledger.held()
    reasons: dict[str, tuple[int, Iterable[str]]] = {
        "for what is wrong with this machine": (waiting - held, troubles),
        "until bad options are put right": (
            held,
            map(printable, dict.fromkeys(context.recordings.folders.said.values())),
        ),
    }
    return "; ".join(_wait(jobs, why, texts) for why, (jobs, texts) in reasons.items() if jobs > 0)


def _wait(jobs: int, why: str, texts: Iterable[str]) -> str:
    words = f"{'1 job waits' if jobs == 1 else f'{jobs} jobs wait'} {why}"
    known = "; ".join(texts)
    return f"{words}: {known}" if known else words


def _left_alone(context: Context) -> str:
    """What the inbox ignored, in words."""
    ignored = context.inbox.ignored if context.inbox is not None else {}
    words = [f"{count} ({reason})" for reason, count in sorted(ignored.items())]
    return f"; left alone in the inbox: {', '.join(words)}" if words else ""
