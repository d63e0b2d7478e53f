"""`report`: what sttd did in a time, as a page with charts, for a terminal, or for a program."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttd.cli import filters, screen
from sttd.cli.options import given, shared
from sttd.errors import SttdError, UsageError
from sttd.phrases import ENGLISH, OFFERED, THAI
from sttd.text import printable
from sttd.view import access, figures

if TYPE_CHECKING:
    from sttd.config import Config
    from sttd.report import Figures

WEEK = 7 * 86400  # seconds


class NotWritten(SttdError):
    """The file that `-o` names cannot be written."""


@click.command(short_help="What was done in a time, with charts.")
@click.option(
    "--since", metavar="T", callback=filters.since, help="Since when: 24h, 30d, yesterday, 2026-11-27.  [default: 7d]"
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write an HTML file, which needs nothing else.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--language", type=click.Choice(list(OFFERED)), help="Of the HTML.  [default: the system's, else en]")
@shared
def report(since: float | None, output: Path | None, as_json: bool, language: str | None) -> None:
    """What became of recordings, how long they took, what went wrong, and the memory: on a terminal a few lines, else HTML.

    --json prints an object: since and until (UTC seconds), zone, levels (percent), total, and spans, of which each has start
    and end, done, failed, cancelled, vanished, audio_seconds, worker_seconds, audio_hours_per_hour, wait_median and wait_95
    (seconds from arrival to transcript, within 3 %), load_timeouts, fallbacks, job_timeouts, resumes, memory_low and
    memory_high (percent), memory_level (0 normal to 3 critical), queued (at most). null: not known. The last span goes on.
    """
    if as_json and output is not None:
        raise UsageError("--json prints to standard output, -o writes HTML: choose one of them")
    found = read(given().load(), since)
    if as_json:
        from sttd.report import as_json as of

        screen.write(sys.stdout, f"{figures.text(of(found))}\n")
        return
    from sttd import report as made

    words = made.words_of(language or _system())
    if output is not None:
        write(output, made.document(found, words))
        print(f"sttd: wrote {printable(str(output))}", file=sys.stderr)
    elif sys.stdout.isatty():  # TERM=dumb, too: a page would be of no use there
        from sttd.cli import term

        words = made.words_of(ENGLISH)
        picture = term.figures(made.facts(found, words), made.troubles(found, words))
        term.console().print(picture, f"\nwith charts: {given().program()} report -o report.html", sep="\n")
    else:
        screen.write(sys.stdout, made.document(found, words))


def read(config: Config, since: float | None) -> Figures:
    """The figures from a time (UTC seconds) until now; None: of the last week."""
    from sttd.report import Levels, build

    now = time.time()
    with access.reading(config) as ledger:
        return build(ledger, now - WEEK if since is None else since, now, Levels.of(config))


def _system() -> str:
    """The language of the environment (locale(7)), if there is a report in it."""
    name = next((each for key in ("LC_ALL", "LC_MESSAGES", "LANG") if (each := os.environ.get(key))), "")
    return THAI if name.split("_")[0].split(".")[0] == THAI else ENGLISH


def write(path: Path, text: str) -> None:
    """Write a file as a whole or not at all. What is no regular file, such as /dev/stdout, is written as it is.

    Raises:
        NotWritten: that is not possible.
    """
    data = text.encode()
    target = path.resolve()  # a link stays one
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except BaseException:  # Ctrl-C, too
            with contextlib.suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        raise NotWritten(f"-o {printable(str(path))}: {error.strerror}") from None
