"""`notify`: tells people and programs what happens; `notify test` sends each of them a sample."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from sttd.cli.options import given, shared
from sttd.errors import ConfigError, UsageError
from sttd.text import sentence
from sttd.view import access, figures

if TYPE_CHECKING:
    from sttd.config import Config
    from sttd.ledger import Ledger
    from sttd.notify.trial import Outcome


@click.group(invoke_without_command=True, short_help="Tell people and programs what happens.")
@shared
def notify() -> int | None:
    """Tell the receivers of the [[notify]] tables what happens, until SIGTERM or Ctrl-C.

    It is a process of its own, sttd-notify.service: the daemon has no network. It reads the ledger, and tells nothing that was
    there before its first start. What cannot be told now is told later, with the same id.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return None
    from sttd.notify import service
    from sttd.notify.look import Views

    config = given().load()
    if access.has_ledger(config):
        access.require_readable(config)
    return service.run(config, Views(lambda ledger: _status(config, ledger), figures.health, figures.job))


def _status(config: Config, ledger: Ledger) -> dict[str, Any]:
    found = figures.status(ledger, access.is_running(config))
    found["trouble"] += access.trouble(config)
    return found


@notify.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@shared
def test(names: tuple[str, ...]) -> int:
    """Send a sample to each receiver, or to those named; ends with 1 where one was not told."""
    from sttd.notify.trial import trial

    receivers = {each.name: each for each in given().load().receivers}
    if not receivers:
        raise ConfigError(["there is no [[notify]] table in the configuration: write one for each who is to be told"])
    for name in names:
        if name not in receivers:
            raise UsageError(f"there is no receiver {name}: the configuration has {', '.join(receivers)}")
    failed = False
    for outcome in trial([receivers[name] for name in dict.fromkeys(names or receivers)], time.time()):
        failed |= outcome.problem is not None
        print(_line(outcome), flush=True)
    return int(failed)


def _line(outcome: Outcome) -> str:
    receiver = outcome.receiver
    how = f"was told in {outcome.seconds:.1f} s" if outcome.problem is None else f"failed: {outcome.problem}"
    said = f"; it said: {outcome.said}" if outcome.said else ""
    return sentence(f"{receiver.name} ({receiver.kind} {receiver.address}): {how}{said}")
