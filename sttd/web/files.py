"""Files that the ledger names, opened for who asks for those of a job: nothing else is ever opened for one.

A job's row says where its recording and its results lie. Each is opened below a folder of the configuration, name by name, and
no link is followed on the way (fs/below.py): whatever somebody puts there instead, nothing outside is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sttd.config import Config
from sttd.fs.below import open_below
from sttd.inboxes import places_of_result
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
        raise Missing(job.source, "it is gone: deleted, as output.source says, replaced or taken away")
    path = moved.location(job, config.paths) or config.path_of(job.source)
    return _open([path], config)


def open_result(job: Job, suffix: str, config: Config) -> tuple[int, str]:
    """A handle of the result with a suffix, such as `srt`, and its name.

    Raises:
        Missing: there is none.
        Unreadable: it cannot be read.
    """
    path = next((each for each in job.outputs if each.endswith(f".{suffix}")), None)
    if path is None:
        raise Missing(f"*.{suffix}", "it was not written")
    return _open(places_of_result(path, job.source, config.paths.transcripts), config)


def folders(config: Config) -> list[Path]:
    """Those below which recordings and results lie."""
    paths = config.paths
    return [paths.archive, paths.failed, paths.transcripts, *config.inboxes().values()]


def _open(paths: Iterable[str], config: Config) -> tuple[int, str]:
    try:
        return open_below(paths, folders(config))
    except OSError as error:
        kind = Missing if isinstance(error, FileNotFoundError) else Unreadable
        raise kind(error.filename, error.strerror or str(error)) from None
