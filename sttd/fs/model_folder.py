"""Where a model lies. Commands and workers decide by its name alone whether that is a folder.

Otherwise it is in huggingface_hub's cache: `models--OWNER--NAME/snapshots/REVISION`, and the revision is in `refs/main`. The
layout is repeated here because huggingface_hub's own function imports a network client, and optional libraries with it. Some
of these write a temporary file (trio does), which a worker may not.
"""

from __future__ import annotations

import re
from pathlib import Path

# huggingface_hub.utils.validate_repo_id: an owner and a name, of at most 96 characters together
_REPOSITORY = re.compile(r"(?=.{1,96}\Z)(?!.*(?:--|\.\.))[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*(?<![.-])", re.ASCII)


def is_folder(name: str) -> bool:
    """Whether a model is named by its folder: `/...`, `./...`, `../...`, `~...`, or a slash at the end.

    A bare word or OWNER/NAME is never a folder, even if the current folder has one of that name.
    """
    return name in {".", ".."} or name.startswith(("/", "./", "../", "~")) or name.endswith("/")


def hint(name: str) -> str:
    """The end of a message that a model was not found: the current folder has a folder of that name; "" where it has none."""
    try:
        there = bool(name) and Path(name).is_dir()
    except (OSError, ValueError):
        there = False
    return f"; if you mean the folder {name!r} of the current folder, write './{name}'" if there else ""


def is_repository(name: str) -> bool:
    """Whether this is a valid name of a repository of the hub. Any other name might lead out of the cache."""
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
