"""Files that the ledger names, opened for who asks for those of a job: nothing else is ever opened for one.

A job's row says where its recording and its results lie. Each is opened below a folder of the configuration, name by name, and
no link is followed on the way (fs/folder.py): whatever somebody puts there instead, nothing outside is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sttd.config import Config
from sttd.fs.folder import Folder, split
from sttd.inboxes import depth
from sttd.job import Job
from sttd.ledger import moved


class Missing(Exception):
    """The file is not there any more, or may not be read; `path` is where it was."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


class Unreadable(Missing):
    """The file may be there, and cannot be read now."""


def open_recording(job: Job, config: Config) -> tuple[int, str]:
    """A handle of the recording of a job, and its name.

    Raises:
        Missing: it was deleted, or cannot be read.
    """
    if job.location == "":
        raise Missing(job.source, "it was deleted, as output.source says")
    path = moved.location(job, config.paths) or config.path_of(job.source)
    return _open([path], _folders(config))


def open_result(job: Job, suffix: str, config: Config) -> tuple[int, str]:
    """A handle of the result with a suffix, such as `srt`, and its name.

    Raises:
        Missing: there is none.
        Unreadable: it cannot be read.
    """
    path = next((each for each in job.outputs if each.endswith(f".{suffix}")), None)
    if path is None:
        raise Missing(f"*.{suffix}", "it was not written")
    return _open(_places(path, job, config), _folders(config))


def _places(path: str, job: Job, config: Config) -> Iterator[str]:
    """Where a result may lie: where it was written, or at the same place below today's folder, if all were moved."""
    yield path
    yield os.path.join(config.paths.transcripts, *path.split("/")[-1 - depth(job.source) :])  # noqa: PTH118 - bytes-safe


def _folders(config: Config) -> list[Path]:
    paths = config.paths
    return [paths.archive, paths.failed, paths.transcripts, *config.inboxes().values()]


def _open(paths: Iterable[str], folders: Iterable[Path]) -> tuple[int, str]:
    """The first of `paths` that is a regular file below one of the folders."""
    first, refused = "", None
    for path in paths:
        first = first or path
        for root in folders:
            components = split(os.fspath(root), path)
            if components is None:
                continue
            try:
                with Folder.open(root) as held, held.below(components[:-1]) as folder:
                    return folder.open_file(components[-1]), components[-1]
            except OSError as error:
                refused = error if first == path else refused
    if refused is None:
        raise Missing(first, "it lies outside of sttd's folders")
    kind = Missing if isinstance(refused, FileNotFoundError) else Unreadable
    raise kind(first, refused.strerror or str(refused))
