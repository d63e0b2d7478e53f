"""Compaction: the manifest is rewritten with the lines that still count, so that it does not grow for ever.

It only copies lines, and does not ask the ledger: a rebuild from the new manifest gives the same ledger as one from the
old. `compact` writes it beside the old one, off the loop, while the daemon goes on appending to the old one.
`hand_over` then copies the few lines that were appended meanwhile, and renames. A kill at any step leaves either the old
manifest or the new one, complete.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sttd.errors import LedgerError
from sttd.ledger.manifest.log import Manifest, create, write_all
from sttd.ledger.seal import is_whole, seal, unseal

SLACK = 2**16  # bytes: a smaller manifest is not worth the work
SMALL = 16 * 2**20  # bytes: rewritten in a second or so
DAY = 86_400.0  # seconds
HANDOVER = 256 * 1024  # bytes that are copied on the loop, at most
_BATCH = 1000
_BLOCK = 2**20  # bytes
# how `log.to_record` begins a line: to match it takes a tenth of the time of parsing the line
_JOB = re.compile(rb'\{"job":\{"id":(\d+)[,}]')


@dataclass(frozen=True, slots=True)
class Compacted:
    """A rewritten manifest beside the old one."""

    path: Path
    upto: int  # bytes of the old one that are in it
    end: int  # bytes of it
    needed: int  # bytes of the lines that count
    bad_lines: int  # that no rebuild could read; they are left out


def is_due(size: int, needed: float, names_for: float | None) -> bool:
    """Whether to rewrite the manifest.

    Args:
        size: bytes of the manifest.
        needed: bytes of the lines that still count, about.
        names_for: seconds since names of forgotten jobs have been in it; None: there are none. Infinite: since an earlier
            run of the daemon. A large manifest is not rewritten for them more than once a day.
    """
    if names_for is not None and (size <= SMALL or names_for >= DAY):
        return True
    return size > 2 * needed + SLACK


def compact(path: Path, upto: int) -> Compacted:
    """Write the lines of the first `upto` bytes that still count beside the manifest, fsynced.

    Raises:
        OSError, LedgerError: there is no room for it, or the manifest cannot be read.
    """
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    try:
        with path.open("rb") as old, _temporary() as places, contextlib.closing(create(beside)) as new:
            lines = _Lines(places)
            lines.read(old, upto)
            size = _write(new, lines.head(), (_line(old, place) for place in lines.places()))
            os.fsync(new.fileno())
    except (OSError, LedgerError):
        beside.unlink(missing_ok=True)
        raise
    return Compacted(beside, upto, size, size, lines.bad)


def catch_up(manifest: Path, compacted: Compacted, upto: int) -> Compacted:
    """Copy what was appended meanwhile, up to `upto` bytes of the old manifest; fsynced. Raises OSError."""
    with manifest.open("rb") as old, compacted.path.open("r+b") as new:
        old.seek(compacted.upto)
        new.seek(compacted.end)
        new.truncate()  # of an earlier try that failed
        left = upto - compacted.upto
        while left and (block := old.read(min(left, _BLOCK))):
            new.write(block)
            left -= len(block)
        new.flush()
        os.fsync(new.fileno())
        return dataclasses.replace(compacted, upto=upto - left, end=new.tell())


def hand_over(manifest: Manifest, compacted: Compacted) -> bool:
    """On the loop: put the new manifest in place. False: too much was appended meanwhile; `catch_up` off the loop first.

    Raises:
        OSError: the new one is not in place, or may not be on disk yet; either way the manifest is complete.
    """
    size = manifest.size()
    if size - compacted.upto > HANDOVER:
        return False
    catch_up(manifest.path, compacted, size)
    manifest.replace(compacted.path)
    return True


class _Lines:
    """Where the lines that count begin, by job number; in a temporary file, because a million objects would take 100 MB."""

    def __init__(self, places: sqlite3.Connection) -> None:
        self._places = places
        self._facts: dict[str, bytes] = {}
        self._highest = 0
        self.bad = 0
        places.execute("CREATE TABLE line (job INTEGER PRIMARY KEY, place INTEGER NOT NULL)")

    def read(self, file: BinaryIO, upto: int) -> None:
        """Take in the lines of the first `upto` bytes."""
        place, batch = 0, list[tuple[int, int]]()
        while place < upto and (line := file.readline(upto - place)):
            job = _job_of(line)
            if job is not None:
                batch.append((job, place))
            else:
                self._keep(batch)
                self._other(line, place)
                batch = []
            if len(batch) >= _BATCH:
                self._keep(batch)
                batch = []
            place += len(line)
        self._keep(batch)

    def _keep(self, batch: list[tuple[int, int]]) -> None:
        self._places.executemany("INSERT OR REPLACE INTO line VALUES (?, ?)", batch)
        self._highest = max(self._highest, *(job for job, _ in batch), 0)

    def _other(self, line: bytes, place: int) -> None:
        if line == b"\n":
            return
        record = unseal(line) or {}
        match record:
            case {"job": {"id": int(job)}}:
                self._keep([(job, place)])
            case {"forgotten": [*jobs]}:
                self._places.executemany("DELETE FROM line WHERE job = ?", [(job,) for job in jobs])
                self._highest = max(self._highest, *jobs, 0)
            case {"fact": str(name)}:
                self._facts[name] = line
            case {"highest": int(job)}:
                self._highest = max(self._highest, job)
            case _:
                self.bad += 1

    def head(self) -> list[bytes]:
        """The lines that are about no job: the highest job number, so that none is used twice; and the facts."""
        return [seal({"highest": self._highest}), *self._facts.values()]

    def places(self) -> Iterator[int]:
        for (place,) in self._places.execute("SELECT place FROM line ORDER BY place"):
            yield place


def _job_of(line: bytes) -> int | None:
    """The number of the job that a whole line is about, if it is one."""
    found = _JOB.match(line)
    return int(found[1]) if found and is_whole(line) else None


def _line(file: BinaryIO, place: int) -> bytes:
    file.seek(place)
    return file.readline()


def _write(file: io.FileIO, head: list[bytes], lines: Iterator[bytes]) -> int:
    """Write the lines. Returns how many bytes."""
    size, block = 0, bytearray(b"".join(head))
    for line in lines:
        block += line
        if len(block) >= _BLOCK:
            write_all(file, bytes(block))
            size += len(block)
            block.clear()
    write_all(file, bytes(block))
    return size + len(block)


@contextlib.contextmanager
def _temporary() -> Iterator[sqlite3.Connection]:
    """A database in a file that nobody else sees, and that is gone when it is closed."""
    try:
        with contextlib.closing(sqlite3.connect("", isolation_level=None)) as db:
            db.execute("BEGIN")
            yield db
    except sqlite3.Error as error:
        raise LedgerError(
            f"the manifest cannot be rewritten: {error}. Is there room in the folder for temporary files?"
        ) from error
