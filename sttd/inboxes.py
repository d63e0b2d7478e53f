"""Which inbox a recording was dropped into, by its name.

    Show/ep1.mkv            in the first inbox, `paths.inbox`
    movies//Show/ep1.mkv    in the one that a [[watch]] table calls movies

A job's source is such a name, in the ledger, in checkpoints and in the manifest alike. No path below a folder has an empty
component, so a file of the first inbox can never be taken for one of another, and a ledger from before there were tables needs no
change. Where the inbox lies is looked up in the configuration each time (`Config.of`, `outbox.Places`).

The empty component is dropped from names of results: those of `movies//Show/ep1.mkv` go to `transcripts/movies/Show/`, sources to
`archive/movies/Show/` and `failed/movies/Show/`. A folder `movies` in the first inbox shares these folders. Nothing is ever
overwritten there, so each recording keeps its own results; one of two equal names gets ` (2)`.

One daemon, one ledger, one queue and one pool serve all inboxes. Each has its own thread, lock, mark and settling, and its
own troubles: while one is away only its recordings wait. Its path decides which inbox a folder is. A table that gets another
name keeps its jobs, and one that is taken out leaves them waiting, each with the whole path of its file
(daemon/whereabouts.py).
"""

from __future__ import annotations

import os
from pathlib import Path

BETWEEN = "//"  # the name of an inbox, and the path below it


def split(source: str) -> tuple[str, str]:
    """The name of the inbox, "" for the first one, and the path below it."""
    name, between, path = source.partition(BETWEEN)
    return (name, path) if between else ("", source)


def join(inbox: str, path: str) -> str:
    """The source of a recording that lies at `path` below an inbox."""
    return f"{inbox}{BETWEEN}{path}" if inbox else path


def depth(source: str) -> int:
    """How many folders deep a source and its results are filed."""
    return len([each for each in source.split("/") if each]) - 1


def places_of_result(path: str, source: str, transcripts: Path) -> tuple[str, str]:
    """Where a result of a recording may lie: where it was written, or at the same place below today's folder, if all were moved."""
    return path, os.path.join(transcripts, *path.split("/")[-1 - depth(source) :])  # noqa: PTH118 - bytes-safe


def unknown(state: Path, inbox: str) -> Path:
    """A folder that never exists: it serves as the inbox of a source whose [[watch]] table is gone."""
    return state / "no inbox" / inbox
