"""`logs`: the journal of a job, or of the service."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttd.cli.completion import complete_jobs
from sttd.cli.options import INSTALLED, given, shared
from sttd.errors import LedgerError, SttdError
from sttd.ledger.facts import DAEMON
from sttd.view import access

if TYPE_CHECKING:
    from sttd.config import Config

_UNIT = re.compile(r"sttd(@[^/]*)?\.service")


class NoJournal(SttdError):
    """There is nothing to be read; the message says where the log is."""


@click.command(context_settings={"ignore_unknown_options": True}, short_help="The log of a job, from the journal.")
@click.argument("words", metavar="[ID] [OPTION OF JOURNALCTL]...", nargs=-1, type=click.UNPROCESSED,
                shell_complete=complete_jobs())  # fmt: skip
@shared
def logs(words: tuple[str, ...]) -> None:
    """All that the log says about job ID; without ID the log of the service.

    Options of journalctl are passed on: `sttd logs 42 -f` follows, `sttd logs -p warning -x` explains what went wrong.
    """
    unit = _unit(given().load())
    program = shutil.which("journalctl")
    if unit is None:
        raise NoJournal(
            "this sttd is not run by systemd: its log is what `sttd run` prints, on its terminal or where that was sent"
        )
    if program is None:
        raise NoJournal(
            "there is no journalctl on this machine: the log is where its service manager puts standard error"
        )
    matches = [f"_SYSTEMD_UNIT={unit}"]
    if words and words[0].isdecimal():
        matches.append(f"STTD_JOB={words[0]}")
        words = words[1:]
    os.execv(program, [program, *matches, *words])  # noqa: S606 - its pager and its Ctrl-C are its own


def _unit(config: Config) -> str | None:
    """The service of this configuration: that of the daemon that runs, else the one that would; None: a person runs it."""
    with contextlib.suppress(LedgerError), access.reading(config) as ledger:
        if access.is_running(config):
            return _unit_of(ledger.fact(DAEMON).get("pid"))
    file = given().file()
    if file == INSTALLED:
        return "sttd.service"
    return f"sttd@{file.stem}.service" if file is not None and file.parent == INSTALLED.parent else None


def _unit_of(pid: int | None) -> str | None:
    """The unit in whose control group a process is (cgroups(7))."""
    with contextlib.suppress(OSError):
        found = _UNIT.search(Path(f"/proc/{pid}/cgroup").read_text("utf-8"))
        return None if found is None else found[0]
    return None
