"""`--config`, `--root` and `--set`: given before or after the command, merged in one place."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sttd.cli.completion import complete_settings

if TYPE_CHECKING:
    from sttd.config import Config

INSTALLED = Path("/etc/sttd/sttd.toml")  # read where neither --config nor --root says otherwise
SERVICE_STATE = Path("/var/lib/sttd")  # StateDirectory=sttd of the unit, which gives the daemon $STATE_DIRECTORY


@dataclass
class Given:
    """What was given on the command line so far. Of two files or folders the later one counts; settings add up."""

    config: Path | None = None
    root: Path | None = None
    sets: list[str] = field(default_factory=list)

    def file(self) -> Path | None:
        """The configuration file that is read, if any."""
        if self.config is None and self.root is None and os.path.lexists(INSTALLED):
            return INSTALLED
        return self.config

    def load(self, *options: tuple[str, str, str | None]) -> Config:
        """The configuration; options of the command override all else.

        Args:
            options: the name of each, the `section.key` that it sets, and what was typed; None: it was not given.

        Raises:
            ConfigError: it cannot be used as it is written.
        """
        from sttd import configfile

        typed = [configfile.from_option(name, key, value) for name, key, value in options if value is not None]
        config = configfile.load(self.file(), self.root, self.sets, self._environ(), typed)
        return dataclasses.replace(config, program=self.program())

    def origins(self) -> dict[tuple[str, str], str]:
        """Where each key is set that is set; see `configfile.origins`. Called after `load`, which reports mistakes."""
        from sttd.configfile.origins import origins

        return origins(self.file(), self.sets, self._environ(), has_root=self.root is not None)

    def with_sets(self, sets: Sequence[str]) -> Given:
        """The same with further settings, each as after `--set`."""
        return dataclasses.replace(self, sets=[*self.sets, *sets])

    def program(self) -> str:
        """How sttd is called for the same ledger, to be typed in a shell: `sttd --root /srv/stt`."""
        words = ["sttd"]
        if self.config is not None and self.config != INSTALLED:
            words += ["--config", os.path.abspath(self.config)]  # noqa: PTH100 - links stay as typed
        if self.root is not None:
            words += ["--root", os.path.abspath(self.root)]  # noqa: PTH100 - as above
        for word in self.sets:
            words += ["--set", word] if word.startswith("paths.") else []
        return shlex.join(words)

    def spoken(self, text: str) -> str:
        """A text of the daemon, with its commands (`sttd retry 1`) as this person has to type them for the same ledger."""
        return text.replace("`sttd ", f"`{self.program()} ")

    def service_state(self) -> Path | None:
        """The service's state folder, if the service's configuration is the one that is read."""
        return SERVICE_STATE if self.file() == INSTALLED and os.path.lexists(SERVICE_STATE) else None

    def _environ(self) -> Mapping[str, str]:
        """The environment; with the service's configuration its state folder too, so that commands find its ledger."""
        state = self.service_state()
        if state is not None and "STATE_DIRECTORY" not in os.environ:
            return {**os.environ, "STATE_DIRECTORY": str(state)}
        return os.environ


def language_options(language: str | None) -> list[tuple[str, str, str | None]]:
    """`--language` for `Given.load`. A list of several languages to choose from does not count beside it."""
    none = None if language is None else ""
    return [("--language", "transcribe.language", language), ("--language", "transcribe.languages", none)]


def given() -> Given:
    """What was given to the command that runs."""
    return given_in(click.get_current_context())


def given_in(context: click.Context) -> Given:
    """What was given to the command of a context."""
    found = context.find_root().ensure_object(Given)
    assert isinstance(found, Given)
    return found


def _note(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    found = given_in(context)
    if parameter.name == "sets":
        found.sets.extend(value)
    elif value is not None and parameter.name is not None:
        setattr(found, parameter.name, value)


def shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the shared options to a command, or to the group of all commands."""
    path, folder = click.Path(path_type=Path), click.Path(path_type=Path, file_okay=False)
    options = (
        click.option(
            "--config", type=path, metavar="F", expose_value=False, callback=_note,
            help=f"Configuration file.  [default: {INSTALLED}, where it exists]",
        ),
        click.option(
            "--root", type=folder, metavar="DIR", expose_value=False, callback=_note,
            help="The folder that holds inbox, transcripts, archive, failed and state.",
        ),
        click.option(
            "--set", "sets", multiple=True, metavar="SECTION.KEY=VALUE", expose_value=False, callback=_note,
            shell_complete=complete_settings, help="Set one key; overrides environment and file. May be given several times.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command
