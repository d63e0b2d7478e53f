"""`status`: whether the daemon runs, what it does, when that is done, and what is wrong."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sttd.cli import running
from sttd.cli.options import given, shared
from sttd.cli.screen import is_terminal
from sttd.ledger.facts import DAEMON
from sttd.text import sentence
from sttd.view import access, figures, outlook, plain

if TYPE_CHECKING:
    from sttd.config import Config
    from sttd.ledger import Ledger
    from sttd.view.lying import Lying

REFRESH = 1.0  # seconds; the daemon tells its figures as often
SLOW = 15.0  # seconds between two looks at models and inboxes, which may be on shares


@click.command(short_help="What is held up, runs, waits, has failed.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--watch", is_flag=True, help="Keep showing it, until Ctrl-C.")
@shared
def status(as_json: bool, watch: bool) -> int:
    """What the daemon does: what is held up, the queue, workers, what failed.

    Exit codes: 0 it runs; 1 something holds it up; 3 it does not run.
    """
    config = given().load()
    look = _Look(config, names=not as_json)
    if watch:
        _watch(look, as_json)
    found, lying = look()
    if as_json or found["daemon"]["running"] or access.has_ledger(config):
        _print(found, lying, as_json)
    else:
        print(f"sttd: {sentence(access.no_ledger(config))}", file=sys.stderr)
    return figures.health(found, time.time())


class _Look:
    """Looks at the ledger each time, and seldom at what may be on a share."""

    def __init__(self, config: Config, *, names: bool) -> None:
        """`names`: also of what lies in the inboxes and is no job."""
        from sttd.view.lying import Lying

        self._config, self._names = config, names
        self._looked = float("-inf")
        self._model: dict[str, Any] | None = None
        self._lying = Lying()

    def __call__(self) -> tuple[dict[str, Any], Lying]:
        config, now = self._config, time.monotonic()
        found = access.status(config)
        found["inbox"]["path"] = str(config.paths.inbox)
        if not access.has_ledger(config):
            return found, self._lying
        with access.reading(config) as ledger:
            daemons = running.configured(config, found["daemon"]["pid"])
            outlook.add(found, ledger, (daemons or config).worker_count(), time.time())
            if now - self._looked >= SLOW:
                self._looked = now
                self._look_far(found, daemons, ledger)
        found["model"] = self._model
        return found, self._lying

    def _look_far(self, found: dict[str, Any], daemons: Config | None, ledger: Ledger) -> None:
        if self._names:
            from sttd.view import lying

            self._lying = lying.look(self._config, ledger, found)
        self._model = None if daemons is None else _model(daemons, ledger)


def _model(config: Config, ledger: Ledger) -> dict[str, Any]:
    """The models of the configuration, and which are missing on this machine, with the remedy."""
    from sttd.cli.models import missing

    where: str | None = ledger.fact(DAEMON).get("models")  # the daemon's environment may differ from ours
    return {
        "name": config.model.name,
        "fallback": config.model.fallback,
        "missing": missing(config, Path(where) if where else None),
    }


def _print(found: dict[str, Any], lying: Lying, as_json: bool) -> None:
    if as_json:
        print(figures.text(found))
    elif is_terminal():
        from sttd.cli import board, term

        screen = term.console()
        screen.print(board.status(found, time.time(), screen.width, lying, given().program()))
    else:
        print("\n".join(plain.status_lines(found, time.time(), lying, given().program())))


def _watch(look: _Look, as_json: bool) -> NoReturn:
    """Until Ctrl-C. On a terminal the picture renews itself; else what has changed is printed: for programs, a line a change."""
    if is_terminal() and not as_json:
        from sttd.cli import live

        live.watch(look, REFRESH, given().program())
    shown = None
    while True:
        seen = look()
        if seen != shown:
            found, lying = shown = seen
            plainly = plain.status_lines(found, time.time(), lying, given().program())
            lines = figures.line(found) if as_json else "\n".join([*plainly, ""])
            print(lines, flush=True)
        time.sleep(REFRESH)
