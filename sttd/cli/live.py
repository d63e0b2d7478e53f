"""A picture on the terminal that renews itself while something goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.live import Live

from sttd.cli import term


def watch(look: Callable[[], dict[str, Any]], refresh: float) -> None:
    """Draw what `look` finds every `refresh` seconds, until Ctrl-C."""
    screen = term.console()
    with Live(console=screen, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            live.update(term.status(look(), time.time(), screen.width), refresh=True)
            time.sleep(refresh)
