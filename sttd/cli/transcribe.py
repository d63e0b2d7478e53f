"""`sttd transcribe`: files become text on standard output, now and without a daemon. They stay where they are."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttd.cli import models, progress
from sttd.cli.completion import complete_languages, complete_models
from sttd.cli.options import given, language_options, shared
from sttd.cli.screen import Plain, is_pipe, is_terminal
from sttd.cli.serve import check_replacements
from sttd.errors import INTERRUPTED, SttdError, UsageError
from sttd.job import Job, State
from sttd.text import printable, sentence
from sttd.view import access

if TYPE_CHECKING:
    from sttd.cli.teller import Teller
    from sttd.config import Config

_KEY = re.compile(r'(?:\bset )?\b((?:transcribe|output|limits|expert|pool)\.\w+) = "?(\w+)"?')
QUIET = {"INFO": "WARNING"}  # the log's level by the configured one: progress has its bar, and a pipe needs none


# what a person types for the keys that workers name
_OPTIONS = {
    "transcribe.language and transcribe.languages": "--language",
    "transcribe.languages": "--language",
    "transcribe.language": "--language",
    "model.name": "--model",
    "output.formats": "--formats",
}


def as_typed(text: str) -> str:
    """A message of the daemon for this command: it names options instead of the service's keys."""
    for key, option in _OPTIONS.items():
        text = text.replace(key, option)
    return _KEY.sub(r"--set \1=\2", text)


class NothingToUse(SttdError):
    """No model is on this machine."""


@click.command(short_help="Print the text of files, without a daemon.")
@click.argument("files", metavar="FILE ...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--language", metavar="L", help="Spoken in the files, such as th.  [default: detected]",
              shell_complete=complete_languages)  # fmt: skip
@click.option("--model", metavar="M", help="Instead of the configured model.", shell_complete=complete_models)
@click.option("--formats", metavar="F,...", help="Also write results: txt, md, srt, vtt, lrc, json, tsv.")
@click.option(
    "-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write results here.  [default: .]"
)
@shared
def transcribe(
    files: Sequence[Path], language: str | None, model: str | None, formats: str | None, output: Path | None
) -> int:
    """Transcribe files now, without a daemon, and print their text while it is heard. They stay where they are.

    On a terminal bars show how far it is. With a pipe there is only the text. Results are written only with -o or --formats.
    Exit code: 1 where a file has no transcript.
    """
    for file in files:
        _check_file(file)
    options = (*language_options(language), ("--model", "model.name", model), ("--formats", "output.formats", formats))
    config = given().load(*options)
    check_replacements(config)
    _check_models(config, model)
    output = Path() if output is None and formats is not None else output
    if output is not None:
        _check_output(output)
    with contextlib.ExitStack() as held:
        scratch = held.enter_context(tempfile.TemporaryDirectory(prefix="sttd-", ignore_cleanup_errors=True))
        held.callback(signal.signal, signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C leaves nothing behind either
        for number in (signal.SIGTERM, signal.SIGHUP):  # while the loop does not take them
            signal.signal(number, lambda number, _: sys.exit(128 + number))
        try:
            return _transcribe(files, in_scratch(config, Path(scratch), output), written=output is not None)
        except KeyboardInterrupt:
            return INTERRUPTED


def in_scratch(config: Config, scratch: Path, output: Path | None) -> Config:
    """`config` with all folders of the daemon in one that is deleted at the end; the results too, unless there is an `output`.

    Checkpoints are deleted with it, so that Ctrl-C waits for none. Files with the same content are each transcribed.
    """
    folders = {name: scratch / name for name in ("inbox", "transcripts", "archive", "failed", "state")}
    if output is not None:
        folders["transcripts"] = Path(os.path.abspath(output))  # noqa: PTH100 - links stay as typed
    return dataclasses.replace(
        config,
        paths=dataclasses.replace(config.paths, root=scratch, **folders),
        output=dataclasses.replace(
            config.output,
            source="keep",
            formats=("txt",) if output is None else config.output.formats,
            place="transcripts",
            existing="add",
        ),
        pool=dataclasses.replace(config.pool, stop_grace=0.0),
        watch=dataclasses.replace(config.watch, dedupe=False),
        watched=(),
    )


def _transcribe(files: Sequence[Path], config: Config, *, written: bool) -> int:
    from sttd import daemon

    teller = _teller(files, config, written=written)
    code = INTERRUPTED
    try:
        code = daemon.transcribe(files, config, teller)
    finally:
        teller.close(drop=code == INTERRUPTED)
    if teller.failure is not None and not isinstance(teller.failure, BrokenPipeError):
        print(f"sttd: standard output: {teller.failure.strerror}", file=sys.stderr)
    with access.reading(config) as ledger:
        jobs = ledger.jobs(newest=False)
    for job in jobs:
        _tell_waiting(job)
    return code or int(not teller.is_whole or any(job.state is not State.DONE for job in jobs))


def _teller(files: Sequence[Path], config: Config, *, written: bool) -> Teller:
    """Tells what is heard. On a terminal bars show how far the files are, and the log is above them; not beside a pipe."""
    from sttd.cli import teller
    from sttd.host import log

    log.reword(as_typed)
    level = QUIET.get(config.log.level, config.log.level)
    heading = None
    if is_terminal():
        from sttd.cli import term

        heading = teller.headings([str(file) for file in files], term.heading)
    # the reader of a pipe may print to the same terminal (`| tee`, `| less`): bars would erase that
    if not is_terminal(sys.stderr) or is_pipe(sys.stdout):
        log.setup(level)
        return teller.Teller(config, Plain(), paths=written, heading=heading)
    from sttd.cli import live

    bars = live.Bars(lambda: progress.look(config), live.at_work, len(files) if len(files) > 1 else 0)
    found = teller.Teller(config, bars, paths=written, heading=heading)
    log.through(level, found.note)
    return found


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


def _check_output(folder: Path) -> None:
    """Make the folder. Raises UsageError where nothing can be written into it."""
    name = f"-o {printable(str(folder))}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{name}: a file is there, and no folder") from None
    except OSError as error:
        raise UsageError(f"{name}: cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{name}: may not be written by you")


def _check_models(config: Config, typed: str | None) -> None:
    """Raises NothingToUse where the model that was typed is not here, or neither the configured one nor its fallback."""
    missing = models.missing(config)
    if "model" not in missing:
        return
    if typed is not None:
        raise NothingToUse(f"--model: {missing['model']}")
    if "fallback" in missing or not config.model.fallback:
        raise NothingToUse(f"{'; its fallback: '.join(missing.values())}; or choose another one with --model")


def _tell_waiting(job: Job) -> None:
    """Say why a file has no text, if it neither failed nor was stopped: the log has reported those."""
    from sttd.part import Cause

    if job.state is State.QUEUED and job.error and job.cause != Cause.SHUTDOWN:
        print(f"sttd: {printable(job.source)}: no transcript: {sentence(as_typed(job.error))}", file=sys.stderr)
