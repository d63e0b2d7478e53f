"""When a model's name means a folder: its spelling alone says so, to the commands and to a worker alike."""

from __future__ import annotations

from pathlib import Path


def is_folder(name: str) -> bool:
    """Whether a model is named by its folder: `/...`, `./...`, `../...`, `~...`, or a slash at the end.

    A bare word and OWNER/NAME never are: what lies in the current folder shadows no model.
    """
    return name in {".", ".."} or name.startswith(("/", "./", "../", "~")) or name.endswith("/")


def hint(name: str) -> str:
    """The end of a message about a model that was looked for in vain; "" where the current folder has none of that name."""
    try:
        there = bool(name) and Path(name).is_dir()
    except (OSError, ValueError):
        there = False
    return f"; if you mean the folder {name!r} of the current folder, write './{name}'" if there else ""
