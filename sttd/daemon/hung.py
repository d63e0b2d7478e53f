"""File work that does not come back: mostly a share that hangs. The log says so once, and once when it is over."""

from __future__ import annotations

from sttd.daemon.context import Context
from sttd.daemon.errands import Operation
from sttd.host.events import Kind, say
from sttd.units import format_duration

TOLD = 30.0  # seconds after which the log has it


class Hung:
    """Looked at again each second, on the loop. It touches no file."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._told: set[Operation] = set()

    def tell(self) -> None:
        under_way, now = set(self._context.operations()), self._context.clock()
        for operation in self._told - under_way:
            self._say(
                operation, f"over after {format_duration(round(now - operation.since))}: {operation.name}", "INFO"
            )
        self._told &= under_way
        for operation in under_way - self._told:
            if now - operation.since >= TOLD:
                self._told.add(operation)
                age = format_duration(round(now - operation.since))
                text = f"{operation.name}: it has taken {age} and goes on: the file is large, or its file system does not answer"
                self._say(operation, text, "WARNING")

    def _say(self, operation: Operation, text: str, level: str) -> None:
        job = None if operation.job is None else self._context.ledger.find(operation.job)
        say(Kind.REMARK, text, job, level=level)
