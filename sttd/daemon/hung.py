"""File work that does not come back: mostly a share that hangs. The log says so once, and once when it is over.

A large file takes its time too, and is no trouble: only work that has not moved on for `TOLD` seconds is in the log.
"""

from __future__ import annotations

from dataclasses import dataclass

from sttd.daemon.context import Context
from sttd.daemon.errands import Operation
from sttd.host.events import Kind, say
from sttd.units import format_duration

TOLD = 30.0  # seconds without progress after which it is logged


@dataclass(slots=True)
class _Seen:
    """What is known of an operation under way."""

    spent: float  # seconds of processor time, at the latest look
    moved: float  # monotonic seconds: the latest look at which these had grown
    is_told: bool = False


class Hung:
    """Looked at again each second, on the loop. It touches no file."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seen: dict[Operation, _Seen] = {}

    def moved(self, operation: Operation) -> float:
        """When it moved on last, in monotonic seconds, as of the latest look."""
        seen = self._seen.get(operation)
        return operation.since if seen is None else seen.moved

    def tell(self) -> None:
        under_way, now = self._context.work.operations(), self._context.clock()
        for operation in self._seen.keys() - set(under_way):
            if self._seen.pop(operation).is_told:
                age = format_duration(round(now - operation.since))
                self._say(operation, f"over after {age}: {operation.name}", "INFO")
        for operation in under_way:
            self._look(operation, now)

    def _look(self, operation: Operation, now: float) -> None:
        spent = operation.spent()
        seen = self._seen.setdefault(operation, _Seen(spent, operation.since))
        if spent != seen.spent:
            seen.spent, seen.moved = spent, now
        elif now - seen.moved >= TOLD and not seen.is_told:
            seen.is_told = True
            age = format_duration(round(now - seen.moved))
            text = f"{operation.name}: it has not moved on for {age}; its file system does not answer, or is very slow"
            self._say(operation, text, "WARNING")

    def _say(self, operation: Operation, text: str, level: str) -> None:
        job = None if operation.job is None else self._context.ledger.find(operation.job)
        say(Kind.REMARK, text, job, level=level)
