"""Pictures on the terminal that renew themselves while something goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from rich.live import Live
from rich.table import Table
from rich.text import Text

from sttd.cli import plain, term
from sttd.job import ENDED, State
from sttd.text import printable

if TYPE_CHECKING:
    from sttd.cli.progress import Picture


def watch(look: Callable[[], dict[str, Any]], refresh: float) -> NoReturn:
    """Draw what `look` finds every `refresh` seconds, until Ctrl-C."""
    screen = term.console()
    with Live(console=screen, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            live.update(term.status(look(), time.time(), screen.width), refresh=True)
            time.sleep(refresh)


def follow(pictures: Iterable[Picture], names: Mapping[str, str]) -> None:
    """Draw a progress bar for each recording of the demo, as long as pictures come."""
    screen = term.console()
    with Live(console=screen, auto_refresh=False, transient=True) as live:
        for picture in pictures:
            live.update(_bars(picture, names, max(10, min(40, screen.width - 34))), refresh=True)


def _bars(picture: Picture, names: Mapping[str, str], width: int) -> Table:
    table = Table.grid(padding=(0, 2))
    jobs = {job.source: job for job in picture.jobs}
    for name in names:
        job = jobs.get(name)
        if job is None or job.state is State.QUEUED:
            table.add_row(Text(printable(name)), term.progress(0.0, width), Text("waits", "dim"))
        elif job.state in ENDED:
            table.add_row(
                Text(printable(name)), term.progress(1.0, width), Text(str(job.state), term.STYLES[job.state])
            )
        else:
            share = picture.progress.get(job.id) or None  # a bar that moves says more than one that stands at zero
            says = plain.percent(share) if share else "listens" if job.model else "model loads"
            table.add_row(Text(printable(name)), term.progress(share, width), Text(says, "cyan"))
    return table
