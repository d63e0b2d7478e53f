"""Where a model lies: its name alone says whether that is a folder, to the commands and to a worker alike.

Else it is in huggingface_hub's cache, whose layout stands here: `models--OWNER--NAME/snapshots/REVISION`, and the revision is
in `refs/main`. Its own function for that imports a client for the network, and whatever that finds installed, of which some
want to write a temporary file (trio does), which a worker may not.
"""

from __future__ import annotations

import re
from pathlib import Path

# huggingface_hub.utils.validate_repo_id: an owner and a name, of at most 96 characters together
_REPOSITORY = re.compile(r"(?=.{1,96}\Z)(?!.*(?:--|\.\.))[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*(?<![.-])", re.ASCII)


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


def is_repository(name: str) -> bool:
    """Whether the hub could have something of that name. What it could not have might lead out of the cache."""
    return _REPOSITORY.fullmatch(name) is not None


def storage(hub: Path, repository: str) -> Path:
    """The folder of a repository in the cache: `blobs`, `refs` and `snapshots` are below it."""
    return hub / f"models--{repository.replace('/', '--')}"


def current(folder: Path) -> Path | None:
    """The snapshot in a `storage` that a worker uses, if there is one."""
    try:
        revision = (folder / "refs" / "main").read_text("utf-8").strip()
        snapshot = folder / "snapshots" / revision
        return snapshot if revision and snapshot.is_dir() else None
    except (OSError, UnicodeError):
        return None
