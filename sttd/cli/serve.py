"""`run`, `transcribe` and `check-config`: the daemon, once for all files, or only its configuration."""

from __future__ import annotations

import dataclasses
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttd.cli import access, models
from sttd.cli.options import given, shared
from sttd.errors import ConfigError, UsageError
from sttd.text import printable, sentence

if TYPE_CHECKING:
    from sttd.config import Config


@click.command(short_help="Watch the inbox: the daemon itself.")
@click.option("--model", metavar="M", help="Instead of the configured model.")
@click.option("--drain", is_flag=True, help="End when every file that is a job has ended.")
@shared
def run(model: str | None, drain: bool) -> int:
    """Watch the inbox and transcribe what comes, until SIGTERM or Ctrl-C."""
    words = given()
    more = [] if model is None else [f"model.name={model}"]
    config = words.load(more)
    from sttd import daemon
    from sttd.configfile import folders

    looked = folders.look(config)
    if looked.problems:
        raise ConfigError(looked.problems)
    return daemon.run(config, load_config=lambda: words.load(more), drain=drain)


@click.command()
@click.argument("files", metavar="FILE ...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Results go here.  [default: .]")
@click.option("--model", metavar="M", help="Instead of the configured model.")
@shared
def transcribe(files: Sequence[Path], output: Path | None, model: str | None) -> int:
    """Transcribe files now, without a daemon. They stay where they are."""
    for file in files:
        _check_file(file)
    more = [] if model is None else [f"model.name={model}"]
    config = given().load(more)
    import tempfile

    from sttd import daemon

    with tempfile.TemporaryDirectory(prefix="sttd-", ignore_cleanup_errors=True) as scratch:
        config = in_scratch(config, Path(scratch), output or Path.cwd())
        code = daemon.transcribe(files, config)
        with access.reading(config) as ledger:
            for job in ledger.jobs(newest=False):
                for path in job.outputs:
                    print(printable(path))
    return code


def in_scratch(config: Config, scratch: Path, output: Path) -> Config:
    """`config` with results in `output`, and everything else of the daemon's in a folder that goes away."""
    paths = dataclasses.replace(
        config.paths,
        root=scratch,
        transcripts=Path(os.path.abspath(output)),  # noqa: PTH100 - links stay as typed
        **{name: scratch / name for name in ("inbox", "archive", "failed", "state")},
    )
    return dataclasses.replace(config, paths=paths, output=dataclasses.replace(config.output, source="keep"))


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


@click.command("check-config")
@shared
def check_config() -> None:
    """Read the configuration and say what is wrong with it.

    Models that are not on this machine and folders that do not answer are warned of: the configuration may be right.
    """
    words = given()
    config = words.load()
    from sttd.configfile import folders, warnings

    looked = folders.look(config)
    if looked.problems:
        raise ConfigError(looked.problems)
    absent = models.absent(config)
    for warning in [*warnings(config), *looked.silent, *absent.values()]:
        print(f"sttd: warning: {sentence(warning)}", file=sys.stderr)
    source = words.file()
    where = "the defaults" if source is None else printable(str(source))
    verdict = f"no mistakes, but its {' and '.join(absent)} cannot be used" if absent else "good"
    print(f"{where}: {verdict}; inbox {printable(str(config.paths.inbox))}, model {printable(config.model.name)}")
