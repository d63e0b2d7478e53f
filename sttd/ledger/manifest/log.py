"""The manifest: an append-only log of each job's outcome. With the checkpoints it is enough to rebuild a lost ledger.

A source that waits lies in the inbox and is found again; a job that was begun has its checkpoint. Neither says that a
source was done (`output.source = "keep"` leaves it where it is), given up or cancelled, where it was archived, or
which files a commit still has to put in place. So after the ledger has such a change it is appended here, and fsynced:

- `{"job": {...}}`: a job as it is now. The last line of a job counts.
- `{"forgotten": [1, 2]}`: jobs that retention removed. Their earlier lines no longer count.
- `{"fact": name, "value": value}`: a single value that must outlive the ledger (`Fact.lasts`).
- `{"highest": 7}`: job numbers up to this one have been used (written by compaction.py).

Files that only wait cost nothing here, however many they are.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sttd.fs.regular import open_regular
from sttd.fs.sync import fsync_folder
from sttd.job import ENDED, Job, Overrides, State
from sttd.ledger.rows import folder_options, shared_of
from sttd.ledger.seal import seal, unseal

_FIELDS = {each.name: each for each in dataclasses.fields(Job)}
_BARE = Job(0, "", 0, 0)
_LISTS = ("outputs", "hashes", "warnings")
_SHOWN = {"state", "plan", "location", "outputs"}
_SAMPLE = 65_536  # bytes


def is_due(before: Job | None, after: Job, changes: Iterable[str]) -> bool:
    """Whether a change of a job must be in the manifest. `before` is None for a new one."""
    if not _SHOWN.intersection(changes):
        return False
    if after.state in (State.RUNNING, State.VANISHED):
        return False
    if after.state is State.COMMITTING and "step" in (after.plan or {}):
        return False  # nothing is staged yet: it is found by its checkpoint, or in the inbox
    if after.state is State.QUEUED:  # else its source lies in the inbox, and no line says otherwise
        return bool(after.location) or (before is not None and before.state in (ENDED | {State.COMMITTING}))
    return True


def to_record(job: Job) -> dict[str, Any]:
    """The fields that differ from those of a bare job, as JSON; the number first. Lone surrogates survive as escapes."""
    values = {name: value for name in _FIELDS if (value := getattr(job, name)) != getattr(_BARE, name)}
    values["state"] = str(job.state)
    values |= {name: list(values[name]) for name in _LISTS if name in values}
    if "overrides" in values:
        values["overrides"] = {name: value for name, value in dataclasses.asdict(job.overrides).items() if value}
    if "folder_options" in values:
        values["folder_options"] = dataclasses.asdict(job.folder_options)
    if job.shared is not None:
        values["shared"] = dataclasses.asdict(job.shared)
    return {"job": values}


def tombstone(jobs: Sequence[int]) -> dict[str, Any]:
    """The line that says that jobs were forgotten."""
    return {"forgotten": list(jobs)}


def from_record(record: dict[str, Any]) -> Job | None:
    """The job of a line; None where it is about something else. Fields of a newer version are ignored."""
    values = record.get("job")
    if not isinstance(values, dict):
        return None
    values = {name: value for name, value in values.items() if name in _FIELDS}
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        values["state"] = State(values["state"])
        values |= {name: tuple(values.get(name, ())) for name in _LISTS}
        values["overrides"] = Overrides(**values.get("overrides", {}))
        if "folder_options" in values:
            values["folder_options"] = folder_options(values["folder_options"])
        if values.get("shared") is not None:
            values["shared"] = shared_of(values["shared"])
        return Job(**{"size": 0, "mtime_ns": 0} | values)
    return None


class Manifest:
    """Only the daemon writes it. Every method may raise OSError: the machine's fault."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: io.FileIO | None = None

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        """Add lines; after a return they survive a power cut. After an error some may be there all the same."""
        try:
            file = self._file or self._open()
            write_all(file, b"".join(map(seal, records)))
            os.fsync(file.fileno())
        except OSError:
            self.close()
            raise

    def _open(self) -> io.FileIO:
        file = create(self.path)
        try:
            fsync_folder(self.path.parent)  # it may be new here: just created, or put in place by a compaction
            if (size := file.seek(0, os.SEEK_END)) and os.pread(file.fileno(), 1, size - 1) != b"\n":
                write_all(file, b"\n")  # a torn line ends here, and costs only itself
        except OSError:
            file.close()
            raise
        self._file = file
        return file

    def size(self) -> int:
        """Bytes."""
        with contextlib.suppress(FileNotFoundError):
            return self.path.stat().st_size
        return 0

    def mean_line(self) -> float:
        """Bytes of a line, on average over the newest ones; 0 where there is none."""
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _SAMPLE))
            sample = file.read()
            return len(sample) / max(1, sample.count(b"\n"))
        return 0.0

    def replace(self, beside: Path) -> None:
        """Put a rewritten manifest in place: whole, and on disk. The next line is appended to it."""
        self.close()
        beside.replace(self.path)
        self._open()

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()

    def records(self) -> Iterator[dict[str, Any] | None]:
        """Line by line; None for one that is torn, altered or foreign."""
        with contextlib.suppress(FileNotFoundError), os.fdopen(open_regular(self.path), "rb") as file:
            for line in file:
                if line != b"\n":
                    yield unseal(line)


def create(path: Path) -> io.FileIO:
    """Open a file to append to, readable by the group; created if it is missing."""
    return io.FileIO(path, "a+", opener=lambda path, flags: open_regular(path, flags, 0o640))


def write_all(file: io.FileIO, data: bytes) -> None:
    """Write all of it: a disk that fills up takes part of a write, and refuses only the next one."""
    while data:
        data = data[file.write(data) or 0 :]
