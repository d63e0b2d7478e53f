"""How far a download is, on a terminal: a progress bar for each file. rich is imported here, for a terminal only."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from sttd.cli import term
from sttd.text import printable, sentence


class Bars:
    """See `sttd.hub.pull.Show`. The bars are shown within `with`."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(complete_style="cyan", finished_style="green", pulse_style="cyan"),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=term.console(),
        )
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, file: str, have: int, total: int) -> None:
        self._task = self._progress.add_task(printable(file), completed=have, total=total)

    def at(self, have: int) -> None:
        self._progress.update(self._task, completed=have)

    def note(self, text: str) -> None:
        self._progress.console.print(sentence(text))
