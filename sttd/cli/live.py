"""Pictures on the terminal that renew themselves while something goes on."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sttd.cli import plain, term
from sttd.errors import SttdError
from sttd.job import ENDED, Job, State
from sttd.text import printable

if TYPE_CHECKING:
    from sttd.cli.progress import Picture


BAR_REFRESH = 0.2  # seconds
LOG_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}


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


@contextlib.contextmanager
def below(look: Callable[[], Picture], count: int) -> Iterator[Callable[[str, str], None]]:
    """On standard error, below all else that is printed there, a bar for each recording that is being transcribed.

    Args:
        look: finds out how far the recordings are; asked in a thread of its own.
        count: how many there are.

    Yields:
        What prints a line above the bars: its level and its text.
    """
    screen = term.console(sys.stderr)
    over = threading.Event()
    # what others print is theirs: the text on standard output is no part of the picture
    live = Live(console=screen, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)

    def draw() -> None:
        while not over.wait(BAR_REFRESH):
            with contextlib.suppress(SttdError, OSError):  # the ledger is being made, or put away
                live.update(_at_work(look(), count, max(10, min(40, screen.width - 34))), refresh=True)

    thread = threading.Thread(target=draw, name="bars", daemon=True)
    with live:
        thread.start()
        try:
            yield lambda level, text: screen.print(Text(text, LOG_STYLES.get(level, "default")))
        finally:
            over.set()
            thread.join()


def _at_work(picture: Picture, count: int, width: int) -> Table:
    """The recordings that a worker has, and how many are left."""
    table = Table.grid(padding=(0, 2))
    for job in picture.jobs:
        if job.state is State.RUNNING:
            table.add_row(Text(printable(job.source), overflow="ellipsis", no_wrap=True), *_share(picture, job, width))
    if count > 1:
        ended = sum(job.state in ENDED for job in picture.jobs)
        table.add_row(Text(f"{ended} of {count} files", "dim"))
    return table


def _share(picture: Picture, job: Job, width: int) -> tuple[RenderableType, Text]:
    share = picture.progress.get(job.id) or None  # a bar that moves says more than one that stands at zero
    says = plain.percent(share) if share else "listens" if job.model else "model loads"
    return term.progress(share, width), Text(says, "cyan")


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
            table.add_row(Text(printable(name)), *_share(picture, job, width))
    return table
