"""The configuration that the running daemon was started with, as far as its command line tells: `run` takes settings too."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sttd.cli.options import given
from sttd.errors import ConfigError

if TYPE_CHECKING:
    from sttd.config import Config


def configured(config: Config, pid: int | None) -> Config | None:
    """`config` with what was typed after `sttd run`; None where that is not known.

    Args:
        config: as this command reads it.
        pid: of the daemon; None: none runs, and the next one is taken to be started without settings.
    """
    if pid is None:
        return config
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
    except OSError:  # it has just ended, or other people's processes are hidden (hidepid of proc(5))
        return None
    sets = values(words, "--set")
    sets += [f"model.name={name}" for name in values(words, "--model")]
    try:
        return given().with_sets(sets).load() if sets else config
    except ConfigError:  # of another version
        return None


def values(words: Sequence[str], option: str) -> list[str]:
    """What an option was given, as `--set X` or `--set=X`."""
    apart = [after for word, after in itertools.pairwise(words) if word == option]
    return apart + [word.removeprefix(f"{option}=") for word in words if word.startswith(f"{option}=")]
