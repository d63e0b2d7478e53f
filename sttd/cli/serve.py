"""`run` and `check-config`: the daemon, or only its configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttd.cli import models
from sttd.cli.options import given, shared
from sttd.errors import ConfigError
from sttd.text import printable, sentence

if TYPE_CHECKING:
    from sttd.config import Config


@click.command(short_help="Watch the inbox: the daemon itself.")
@click.option("--model", metavar="M", help="Instead of the configured model.")
@click.option(
    "--drain", is_flag=True, help="End when every recording is transcribed or has failed; a paused queue is waited for."
)
@shared
def run(model: str | None, drain: bool) -> int:
    """Watch the inbox and transcribe what comes, until SIGTERM or Ctrl-C."""
    from sttd.host.init import stand_aside

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
@shared
def check_config() -> None:
    """Read the configuration and report all mistakes.

    A model that is not on this machine, or a folder that does not answer, is a warning and no mistake.
    """
    words = given()
    config = words.load()
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
