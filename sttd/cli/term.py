"""What a terminal gets: colours, tables and progress bars. rich is imported only here, and this only for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sttd.cli import about
from sttd.job import Job, State
from sttd.text import printable, sentence
from sttd.view import plain
from sttd.view.life import Life
from sttd.view.outlook import Prospect

STYLES = {
    State.QUEUED: "default", State.RUNNING: "cyan", State.COMMITTING: "cyan", State.DONE: "green",
    State.FAILED: "red", State.CANCELLED: "yellow", State.VANISHED: "yellow",
}  # fmt: skip
WIDE = 100  # columns from which there is room for dates
NARROW = 72  # columns below which only what matters most is shown
NARROWEST = 48  # columns below which there is no room for a time, or beside a key


def console(file: TextIO | None = None) -> Console:
    """Standard output, or `file`. Nothing is guessed about texts: no markup, no emoji codes, no highlighting."""
    return Console(file=file or sys.stdout, markup=False, emoji=False, highlight=False)


def facts() -> Table:
    """A table of two columns: a word, and what it says."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def figures(words: Iterable[tuple[str, str]], counts: Iterable[tuple[int, str]]) -> Table:
    """Words and what they say; below them counts, one under the other, and what each is of."""
    table = facts()
    for word, text in words:
        table.add_row(word, Text(text))
    for count, name in counts:
        table.add_row(Text(f"{count:,}", "default", justify="right"), Text(name))
    return table


def progress(share: float | None, width: int | None) -> ProgressBar:
    """A bar for 0 to 1; None: it moves to and fro. `width` in columns; None: all that there are."""
    return ProgressBar(
        total=1.0, completed=share or 0.0, width=width, pulse=share is None,
        complete_style="cyan", finished_style="green", pulse_style="cyan",
    )  # fmt: skip


def jobs(found: list[Job], width: int, now: float) -> Table:
    """A line a job; on a narrow terminal without the figures, and with the hour alone or the day."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", expand=False)
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("recording", min_width=8)  # it gets narrower first: all others stay on one line
    if width >= NARROW:
        table.add_column("audio", justify="right", no_wrap=True)
    if width >= WIDE:
        table.add_column("lang", no_wrap=True)
        table.add_column("model", no_wrap=True)
    if width >= NARROWEST:
        table.add_column("when", no_wrap=True)
    for job in found:
        cells = [Text(str(job.id)), Text(str(job.state), STYLES[job.state]), _recording(job)]
        at = plain.when(job)
        figures = [Text(plain.clock(job.audio_seconds)), Text(plain.nearby(at, now), "dim")]
        if width < NARROW:
            figures = [Text(plain.nearest(at, now), "dim")]
        if width >= WIDE:
            style = "yellow" if job.fallback_reason else "default"
            model = Text(plain.model_name(job.model, _model_room(width)), style)
            figures[1:1] = [Text(printable(job.language or "-")), model]
        table.add_row(*cells, *(figures if width >= NARROWEST else ()))
    return table


def _model_room(width: int) -> int:
    """Columns of a model: what is left is the recording's."""
    return max(12, min(20, width // 6))


def _name(source: str) -> Text:
    """The name of a recording on one line, cut where it must be."""
    return Text(printable(source), no_wrap=True, overflow="ellipsis")


def _recording(job: Job) -> RenderableType:
    """The name, and below it, wrapped, what there is to say."""
    remark = plain.remark(job)
    if not remark:
        return _name(job.source)
    style = {State.FAILED: "red", State.RUNNING: "cyan"}.get(job.state, "yellow")
    return Group(_name(job.source), Text(remark, style))


def show(job: Job, lived: Life, prospect: Prospect, now: float) -> RenderableType:
    """All about one job. What went wrong is red where it is how the job ended, and dim where a new attempt goes on."""
    table = facts()
    past = "yellow" if job.state is State.QUEUED else "dim"
    styles = {"state": STYLES[job.state], "error": "red", "last error": past, "fallback": "yellow", "warning": "yellow"}
    for word, text in about.job_facts(job, prospect, now):
        table.add_row(word, Text(text, styles.get(word, "default")))
    return Group(table, Text(), _life(lived, now))


def _life(lived: Life, now: float) -> Table:
    """The day gets a line of its own where it differs from that of the line before; at first, from today."""
    table = facts()
    day = plain.moment(now)[:10]
    for at, text in lived:
        when = plain.moment(at)
        if when[:10] != day:
            day = when[:10]
            table.add_row(day, "")
        table.add_row(when[11:], Text(text))
    return table


def models(
    rows: Sequence[tuple[str, str, str, str]], hub: str, known: Sequence[str], absent: Sequence[str], width: int
) -> RenderableType:
    """Name, size, folder and roles of each model on a line; where that is too long its folder is below. Then what is not here."""
    name = max(cell_len(row[0]) for row in rows)
    on_one_line = all(name + 13 + cell_len(f"{state}  {roles}") <= width for _, _, state, roles in rows)
    blocks: list[RenderableType] = []
    for row in rows:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=min(name, max(8, width - 13)), overflow="fold")
        table.add_column(width=9, justify="right")
        cells = row if on_one_line else (row[0], row[1], row[3])
        table.add_row(*map(Text, cells))
        blocks += [table] if on_one_line else [table, Padding(Text(row[2], "dim"), (0, 0, 0, 2))]
    blocks += [Text(f"\nknown by name, not in {hub}:"), Padding(Text(" ".join(known)), (0, 0, 0, 2))]
    if absent:
        blocks.append(Text(f"\nconfigured, but not on this machine: {', '.join(absent)}"))
    return Group(*blocks)


def settings(
    rows: Sequence[tuple[str, str, str, str]], tables: Sequence[tuple[str, str]], width: int
) -> RenderableType:
    """Each key with its value, and at the right where that comes from; what is set somewhere stands out."""
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(justify="right", overflow="fold")
    before = ""
    for section, key, value, where in rows:
        if section != before:
            table.add_row(Text(f"{chr(10) if before else ''}[{section}]", "bold"))
            before = section
        is_set = where != "default"
        table.add_row(
            _setting(f"{key} =", sentence(value), "cyan" if is_set else "default", width),
            Text(printable(where), "default" if is_set else "dim"),
        )
    further = [Text(f"\n[[{name}]]\n{chr(10).join(map(sentence, each.splitlines()))}") for name, each in tables]
    return Group(table, *further)


def _setting(key: str, value: str, style: str, width: int) -> RenderableType:
    """A long value is wrapped in a column beside its key, unless the screen is too narrow for that."""
    if width < NARROWEST:
        return Text(f"{key} {value}", style)
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(key, style), Text(value, style))
    return table


def heading(name: str, more: str = "") -> str:
    """A line with the name of a recording, and something about it, after an empty one."""
    screen = console()
    with screen.capture() as captured:
        words = Text.assemble("\n", (printable(name), "bold green"), (f"  {sentence(more)}" if more else "", "dim"))
        screen.print(words, soft_wrap=True)
    return captured.get()
