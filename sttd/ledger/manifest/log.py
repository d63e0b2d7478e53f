"""The manifest: what a ledger that is lost could not be rebuilt from without it, a line for each outcome.

A source that waits lies in the inbox and is found again; a job that was begun has its checkpoint. Neither tells that
a source was done (`output.source = "keep"` leaves it where it is), given up or cancelled, where it was archived, or
what a commit under way has promised. So after the ledger has such a thing it is appended here, fsynced. The last line
of a job counts. Waiting files cost nothing, however many they are.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sttd.fs.sync import fsync_folder
from sttd.job import ENDED, Job, Overrides, State
from sttd.ledger.seal import seal, unseal

FACTS = frozenset({"paused", "inbox mark"})  # single values that must outlive the ledger
_FIELDS = {each.name: each for each in dataclasses.fields(Job)}
_SHOWN = {"state", "plan", "location", "outputs"}


def is_due(before: Job | None, after: Job, changes: Iterable[str]) -> bool:
    """Whether a change of a job must be in the manifest. `before` is None for a new one."""
    if not _SHOWN.intersection(changes):
        return False
    if after.state in (State.RUNNING, State.VANISHED):
        return False
    if after.state is State.QUEUED:  # else its source lies in the inbox, and no line says otherwise
        return bool(after.location) or (before is not None and before.state in (ENDED | {State.COMMITTING}))
    return True


def to_record(job: Job) -> dict[str, Any]:
    """What differs from a bare job, as JSON holds it. Lone surrogates survive as escapes."""
    values = {name: getattr(job, name) for name in _FIELDS}
    values["state"], values["outputs"] = str(job.state), list(job.outputs)
    values["overrides"] = {name: value for name, value in dataclasses.asdict(job.overrides).items() if value}
    return {"job": {name: value for name, value in values.items() if value not in (None, [], {}, 0)}}


def from_record(record: dict[str, Any]) -> Job | None:
    """The job of a line; None where it is about something else. What a newer version added is passed over."""
    values = record.get("job")
    if not isinstance(values, dict):
        return None
    values = {name: value for name, value in values.items() if name in _FIELDS}
    with contextlib.suppress(KeyError, TypeError, ValueError):
        values["state"] = State(values["state"])
        values["outputs"] = tuple(values.get("outputs", ()))
        values["overrides"] = Overrides(**values.get("overrides", {}))
        return Job(**{"size": 0, "mtime_ns": 0} | values)
    return None


class Manifest:
    """Its one writer is the daemon. Every method may raise OSError: the machine's fault."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: io.FileIO | None = None

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        """Add lines; after a return they survive a power cut. After an error some may be there all the same."""
        try:
            file = self._file or self._open()
            _write(file, b"".join(map(seal, records)))
            os.fsync(file.fileno())
        except OSError:
            self.close()
            raise

    def _open(self) -> io.FileIO:
        created = not self.path.exists()
        file = io.FileIO(self.path, "a+", opener=lambda path, flags: os.open(path, flags, 0o640))
        self._file = file
        if created:
            fsync_folder(self.path.parent)
        elif (size := file.seek(0, os.SEEK_END)) and os.pread(file.fileno(), 1, size - 1) != b"\n":
            _write(file, b"\n")  # a torn line ends here, and costs only itself
        return file

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()

    def records(self) -> Iterator[dict[str, Any] | None]:
        """Line by line; None for one that is torn, altered or foreign."""
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            for line in file:
                if line != b"\n":
                    yield unseal(line)


def _write(file: io.FileIO, data: bytes) -> None:
    """All of it: a disk that fills up takes a part, and refuses only the next one."""
    while data:
        data = data[file.write(data) or 0 :]
