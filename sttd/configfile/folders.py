"""Checks the configured folders on the disk: resolves links, and finds shares that do not answer."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

from sttd.config import Config
from sttd.configfile.relations import TABLE, folders, overlaps
from sttd.fs.patience import PATIENCE, answers


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at the folders found."""

    problems: list[str]  # a sentence for each two folders that a link makes the same, or one within the other
    silent: list[str]  # a sentence for each folder that did not answer


def look(config: Config, patience: float = PATIENCE) -> Looked:
    """Look at the folders for at most `patience` seconds. `load` itself touches none: a command must not hang on a share."""
    paths = folders(config)
    real = answers({name: functools.partial(os.path.realpath, path) for name, path in paths.items()}, patience)
    silent = [
        f"{name if name.startswith(TABLE) else f'[paths] {name}'}: {path} does not answer: its file system hangs (a network share whose server is away?)"
        for name, path in paths.items()
        if name not in real
    ]
    resolved = {name: Path(path) for name, path in real.items()}
    return Looked([sentence for _, sentence in overlaps(paths, resolved)], silent)
