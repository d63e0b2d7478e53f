"""`sttd transcribe`: files become text on standard output, now and without a daemon. They stay where they are."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttd.cli import access, models, progress
from sttd.cli.options import given, shared
from sttd.cli.screen import is_terminal
from sttd.cli.serve import check_replacements
from sttd.errors import SttdError, UsageError
from sttd.job import Job, State
from sttd.text import printable, sentence

if TYPE_CHECKING:
    from sttd.config import Config

QUIET = {"INFO": "WARNING"}  # the log's level by the configured one: progress has its bar, and a pipe needs none


class NothingToUse(SttdError):
    """No model is on this machine."""


@click.command(short_help="Print the text of files, without a daemon.")
@click.argument("files", metavar="FILE ...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Also write the results here.")
@click.option("--model", metavar="M", help="Instead of the configured model.")
@shared
def transcribe(files: Sequence[Path], output: Path | None, model: str | None) -> int:
    """Transcribe files now, without a daemon, and print their text. They stay where they are.

    On a terminal a bar shows how far it is, and each text has a heading where there are several. In a pipe there is only the
    text. Errors and warnings go to standard error.
    """
    for file in files:
        _check_file(file)
    config = given().load([] if model is None else [f"model.name={model}"])
    check_replacements(config)
    _check_models(config)
    with tempfile.TemporaryDirectory(prefix="sttd-", ignore_cleanup_errors=True) as scratch:
        config, unasked = in_scratch(config, Path(scratch), output)
        from sttd import daemon

        with _telling(config, len(files)):
            code = daemon.transcribe(files, config)
        with access.reading(config) as ledger:
            jobs = ledger.jobs(newest=False)
        _print(files, jobs)
        _report(jobs, output, unasked)
    return code or int(any(job.state is not State.DONE for job in jobs))


def in_scratch(config: Config, scratch: Path, output: Path | None) -> tuple[Config, str]:
    """`config` with everything of the daemon's in a folder that goes away; the results too, unless there is an `output`.

    The text is printed from the results, so that txt is always among them.

    Returns:
        Also the suffix of the results that nobody asked for, or "".
    """
    folders = {name: scratch / name for name in ("inbox", "transcripts", "archive", "failed", "state")}
    formats: tuple[str, ...] = ("txt",)
    unasked = ""
    if output is not None:
        folders["transcripts"] = Path(os.path.abspath(output))  # noqa: PTH100 - links stay as typed
        formats = tuple(dict.fromkeys((*config.output.formats, "txt")))
        unasked = "" if "txt" in config.output.formats else ".txt"
    paths = dataclasses.replace(config.paths, root=scratch, **folders)
    results = dataclasses.replace(config.output, source="keep", formats=formats, place="transcripts", existing="add")
    return dataclasses.replace(config, paths=paths, output=results, watched=()), unasked


def _check_file(file: Path) -> None:
    """Raises UsageError where `file` cannot be transcribed whatever it holds."""
    name = printable(str(file))
    try:
        found = file.stat()
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{name}: not a regular file")
    if not os.access(file, os.R_OK):
        raise UsageError(f"{name}: may not be read by you")


def _check_models(config: Config) -> None:
    """Raises NothingToUse where neither the model nor a fallback is here: each file would wait for ever."""
    absent = models.absent(config)
    if "model" in absent and ("fallback" in absent or not config.model.fallback):
        raise NothingToUse("; ".join(absent.values()))


@contextlib.contextmanager
def _telling(config: Config, count: int) -> Iterator[None]:
    """What goes wrong goes to standard error, and on a terminal a bar shows how far the files are."""
    from sttd.host import log

    level = QUIET.get(config.log.level, config.log.level)
    if not is_terminal(sys.stderr):
        log.setup(level)
        yield
        return
    from sttd.cli import live

    with live.below(lambda: progress.look(config), count) as show:
        log.through(level, show)
        yield


def _print(files: Sequence[Path], jobs: Sequence[Job]) -> None:
    """The texts in the order of the files, as they were typed."""
    screen = is_terminal()
    several = len(files) > 1
    parted = False
    for file, job in zip(files, jobs, strict=True):
        path = next((output for output in job.outputs if output.endswith(".txt")), None)
        if job.state is not State.DONE or path is None:
            continue
        if several and screen:
            from sttd.cli import term

            term.heading(str(file), f"{job.language}, {job.model}")
        elif parted:
            print()
        parted = True
        with open(path, encoding="utf-8") as text:  # noqa: PTH123 - a path of any bytes
            for line in text:
                print(sentence(line.rstrip("\n")) if screen else line.rstrip("\n"))
    sys.stdout.flush()


def _report(jobs: Sequence[Job], output: Path | None, unasked: str) -> None:
    """On standard error: what was written, and why a file has no text that did not fail, as the log has told already."""
    for job in jobs:
        if job.state is State.QUEUED and job.error:
            print(f"sttd: {printable(job.source)}: no transcript: {sentence(job.error)}", file=sys.stderr)
        for path in job.outputs:
            if unasked and path.endswith(unasked):
                os.unlink(path)  # noqa: PTH108 - as above
            elif output is not None:
                print(printable(path), file=sys.stderr)
