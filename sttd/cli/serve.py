"""`run` and `check-config`: the daemon, or only its configuration."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttd.cli import models
from sttd.cli.completion import complete_models
from sttd.cli.options import given, shared
from sttd.errors import ConfigError
from sttd.text import printable, sentence

if TYPE_CHECKING:
    from sttd.config import Config


@click.command(short_help="Watch the inbox: the daemon itself.")
@click.option("--model", metavar="M", help="Instead of the configured model.", shell_complete=complete_models)
@click.option(
    "--drain", is_flag=True, help="End when every recording is transcribed or has failed; a paused queue is waited for."
)
@shared
def run(model: str | None, drain: bool) -> int:
    """Watch the inbox and transcribe what comes, until SIGTERM or Ctrl-C."""
    from sttd.host import hangup
    from sttd.host.init import stand_aside

    hangup.keep()  # before there is a child that a SIGHUP could be sent on to
    stand_aside()
    words = given()
    option = ("--model", "model.name", model)
    config = words.load(option)
    from sttd import daemon
    from sttd.configfile import folders

    looked = folders.look(config)
    if looked.problems:
        raise ConfigError(looked.problems)
    check_replacements(config)
    return daemon.run(config, load_config=lambda: check_replacements(words.load(option)), drain=drain)


def check_replacements(config: Config) -> Config:
    """`config` itself. Raises ConfigError where the list that it names cannot be used."""
    from sttd import replacements

    if config.transcribe.replace != Path():
        try:
            replacements.read(config.transcribe.replace)
        except replacements.BadReplacements as error:
            raise ConfigError([str(error)]) from None
    return config


@click.command("check-config")
@click.argument("path", metavar="[PATH]", required=False, type=click.Path(path_type=Path))
@shared
def check_config(path: Path | None) -> None:
    """Read the configuration and report all mistakes; with PATH, the options of a folder (.sttd.toml).

    A model that is not on this machine, or a folder that does not answer, is a warning and no mistake.
    """
    words = given()
    config = words.load()
    if path is not None:
        _check_folder(config, path)
        return
    from sttd.configfile import folders, warnings

    looked = folders.look(config)
    if looked.problems:
        raise ConfigError(looked.problems)
    check_replacements(config)
    absent = models.absent(config)
    for warning in [*warnings(config), *looked.silent, *absent.values()]:
        print(f"sttd: warning: {sentence(warning)}", file=sys.stderr)
    source = words.file()
    where = "the defaults" if source is None else printable(str(source))
    verdict = f"no mistakes, but its {' and '.join(absent)} cannot be used" if absent else "good"
    inboxes = ", ".join(f"{name} {path}".lstrip() for name, path in config.inboxes().items())
    what = "inboxes" if config.watched else "inbox"
    print(f"{where}: {verdict}; {what} {printable(inboxes)}, model {printable(config.model.name)}")


def _check_folder(config: Config, path: Path) -> None:
    """The file with the options of a folder; of a folder the one in it. Raises ConfigError where it has mistakes."""
    from sttd.configfile import folder_options
    from sttd.fs.regular import open_regular

    file = path / folder_options.NAME if path.is_dir() else path
    name = printable(str(file))
    try:
        with os.fdopen(open_regular(file), "rb") as opened:
            data = opened.read(folder_options.LARGEST + 1)
    except OSError as error:
        raise ConfigError([f"{name}: {error.strerror}"]) from None
    chosen = folder_options.read(data, name)
    folder_options.check(config, chosen, name)
    model = chosen.get("model.name", config.model.name)
    missing = models.absent(dataclasses.replace(config, model=dataclasses.replace(config.model, name=model)))
    if "model.name" in chosen and "model" in missing:
        print(f"sttd: warning: {sentence(missing['model'])}: recordings in its folder wait for it", file=sys.stderr)
    if file.name != folder_options.NAME:
        print(f"sttd: warning: {name} counts only where its name is {folder_options.NAME}", file=sys.stderr)
    print(f"{name}: good; it sets {', '.join(map(sentence, folder_options.written(chosen))) or 'nothing'}")
