"""What moves on a terminal: `status --watch`, and the bars of recordings while they are transcribed."""

from __future__ import annotations

import codecs
import contextlib
import io
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from sttd.cli import board, term
from sttd.cli.progress import At, Pace, Paces, Picture
from sttd.cli.screen import is_terminal, write, write_if_read
from sttd.errors import SttdError
from sttd.job import ENDED, UNDER_WAY, Job, State
from sttd.text import printable
from sttd.view import plain
from sttd.view.lying import Lying

LOG_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red", "DONE": "dim"}
LOOK = 0.5  # seconds between two looks at the ledger
ONE_LINE = 80  # columns from which name and figures of a recording share a line


def watch(look: Callable[[], tuple[dict[str, Any], Lying]], refresh: float, program: str) -> NoReturn:
    """Draw what `look` finds every `refresh` seconds, until Ctrl-C; see `board.status`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=AS_WIDE)
    screen = term.console()
    with Live(console=screen, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            found, lying = look()
            live.update(board.status(found, time.time(), screen.width, lying, program), refresh=True)
            time.sleep(refresh)


class Bars:
    """See `sttd.cli.screen.Screen`: bars on standard error, below all else. They are taken away before anything is printed.

    The terminal is in no special mode meanwhile, and its cursor is seen: whatever ends the process leaves nothing to restore.
    """

    def __init__(self, take: Callable[[], Picture], rows: Callable[[Picture], Sequence[Row]], total: int = 0) -> None:
        """Nothing is drawn yet.

        Args:
            take: finds out how far the recordings are.
            rows: those that have a bar.
            total: how many recordings there are, where that is worth a line; else 0.
        """
        self._take, self._rows, self._total = take, rows, total
        self._console = term.console(sys.stderr)
        self._shares = is_terminal(sys.stdout)  # text goes to the same screen
        self._picture, self._looked = Picture(), float("-inf")
        self._paces = Paces()
        self._drawn = 0  # lines

    def write(self, text: str) -> None:
        if not self._shares:
            write(sys.stdout, text)
            return
        self.close()
        write(sys.stdout, text)
        self._show()

    def note(self, text: str, level: str = "") -> None:
        with self._console.capture() as captured:
            self._console.print(Text(text, LOG_STYLES.get(level, "default")), soft_wrap=True)
        self._show(captured.get())

    def draw(self) -> None:
        self._show()

    def look(self) -> None:
        self._looked = float("-inf")

    def close(self) -> None:
        write_if_read(sys.stderr, self._taken_away())

    def _show(self, above: str = "") -> None:
        """Draw the bars anew, below `above`, with one write."""
        now, away = time.monotonic(), self._taken_away()
        self._look_again(now)
        with self._console.capture() as captured:
            self._console.print(self._table(now), width=self._console.width - 1)
        lines = captured.get().splitlines(keepends=True)[: max(1, self._console.height - 2)]
        self._drawn = len(lines)
        encoding = sys.stderr.encoding
        write_if_read(sys.stderr, away + above + "".join(lines).encode(encoding, AS_WIDE).decode(encoding))

    def _look_again(self, now: float) -> None:
        """Look again, if the last look is old enough."""
        if now - self._looked >= LOOK:
            self._looked = now
            with contextlib.suppress(SttdError, OSError):  # the ledger is being made, or put away
                self._picture = self._take()
                self._paces.note(self._picture, now)

    def _taken_away(self) -> str:
        lines, self._drawn = self._drawn, 0
        return f"\x1b[{lines}A\x1b[J" if lines else ""

    def _table(self, now: float) -> RenderableType:
        found = bars(self._rows(self._picture), self._picture, self._paces, now, self._console)
        if self._total:
            ended = sum(job.state in ENDED for job in self._picture.jobs)
            found.append(Text(f"{ended} of {self._total} files", "dim"))
        return Group(*found)


def _as_wide(error: UnicodeError) -> tuple[str, int]:
    """An error handler (`codecs.register_error`): it writes ? for each column of what an encoding has no letters for.

    Escapes would be wider, the line would wrap, and not all of it would be erased.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "?" * cell_len(error.object[error.start : error.end]), error.end


AS_WIDE = "sttd.as-wide"
codecs.register_error(AS_WIDE, _as_wide)

Row = tuple[str, Job | None]  # a recording's name, and its job where there is one


def at_work(picture: Picture) -> list[Row]:
    """The recordings that a worker has, or that are being written."""
    return [(job.source, job) for job in picture.jobs if job.state in UNDER_WAY]


def bars(rows: Sequence[Row], picture: Picture, paces: Paces, now: float, screen: Console) -> list[RenderableType]:
    """A line for each recording; on a narrow screen a name above it."""
    width = screen.width - 1
    narrow = screen.width < ONE_LINE
    found: list[RenderableType] = []
    table = _grid(narrow)
    for name, job in rows:
        text = Text(printable(name), no_wrap=True, overflow="ellipsis")
        at = None if job is None else picture.at.get(job.id)
        pace = None if job is None or at is None else paces.of(job, at)
        cells = _cells(job, at, pace, now, 0 if narrow else max(10, (width - 59) // 2))
        if narrow:
            table = _grid(narrow)
            table.add_row(*cells)
            found += [text, table]
        else:
            table.add_row(text, *cells)
    return found if narrow else [table] if rows else []


def _grid(narrow: bool) -> Table:
    table = Table.grid(padding=(0, 1 if narrow else 2), expand=narrow)
    if not narrow:
        table.add_column(min_width=8)  # the name gets narrower first: all others stay on one line
    table.add_column(no_wrap=True, ratio=1 if narrow else None)
    for _ in range(4):
        table.add_column(justify="right", no_wrap=True)
    return table


def _cells(job: Job | None, at: At | None, pace: Pace | None, now: float, bar: int) -> list[RenderableType]:
    """A bar of `bar` columns (0: as many as there are), percentage, audio, speed, and time left."""
    width = bar or None
    if job is None or job.state is State.QUEUED:
        return [term.progress(0.0, width), Text("waits", "dim")]
    if job.state in ENDED:
        return [term.progress(1.0, width), Text(str(job.state), term.STYLES[job.state])]
    if job.state is State.COMMITTING:
        return [term.progress(1.0, width), Text("is written", "cyan")]
    if at is None or not at.done:  # a bar that moves says more than one that stands at zero
        return [term.progress(None, width), Text("listens" if job.model else "model loads", "cyan")]
    speed = None if pace is None else pace.speed()
    fast = Text("" if speed is None else plain.speed(speed))
    if not at.total:
        return [Spinner("line", style="cyan"), Text(), Text(plain.clock(at.done)), fast, Text()]
    left = None if pace is None else pace.left(at.total, now)
    share = min(1.0, at.done / at.total)
    audio = Text(f"{plain.clock(at.done)} / {plain.clock(at.total)}")
    remains = Text("" if left is None else f"{plain.clock(left)} left")
    return [term.progress(share, width), Text(plain.percent(share), "cyan"), audio, fast, remains]
