"""What the index holds of each recording, and how its one writer changes that."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sttd.fs.lock import Lock
from sttd.search.atoms import atoms
from sttd.search.facets import facets, name_of
from sttd.search.file import lock_of, made, opened, translated
from sttd.search.phrases import alone, atoms_of, key, tokens
from sttd.search.transcript import Said, Signature

_TIDY, _UNTIDY, _MERGING = range(
    3
)  # values of the file's `user_version`: whether words of removed texts may still be in it
_PAGES = 500  # of FTS5, merged in one step


@dataclass(frozen=True, slots=True)
class Recording:
    """What the ledger says of a job that is done."""

    job: int
    source: bytes
    created_at: float
    language: str
    path: bytes  # of the JSON result; empty: the job has none


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording in the index, and the file as it was read."""

    recording: Recording
    signature: Signature | None  # None: no file was read


@dataclass(frozen=True, slots=True)
class Offered:
    """What can be filtered by."""

    languages: tuple[str, ...] = ()  # the main languages of the recordings
    folders: tuple[str, ...] = ()  # of the inboxes, in which recordings lay: `os.fsdecode`d


class Index:
    """The index, for its one writer.

    Raises:
        AlreadyRunning: another process writes it.
        IndexTrouble: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with translated(path):
            self._lock = Lock(lock_of(path), "the search index in")
        try:
            self._db = opened(path)
            self._file = _identity(path)
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        self._db.close()
        self._lock.release()

    def remake(self) -> None:
        """Replace it by an empty one."""
        self._db.close()
        self._db = made(self.path)
        self._file = _identity(self.path)

    @property
    def is_lost(self) -> bool:
        """Whether another file, or none, has the index's name."""
        return _identity(self.path) != self._file

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside are made, or none."""
        with translated(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    def jobs(self) -> set[int]:
        """The numbers of all recordings in it."""
        with translated(self.path):
            return {job for (job,) in self._db.execute("SELECT job FROM recordings")}

    def offered(self) -> Offered:
        """Read from all recordings in it: a tenth of a second for 100,000."""
        with translated(self.path):
            languages = sorted(each for (each,) in self._db.execute("SELECT DISTINCT language FROM recordings"))
            folders = {source.rpartition(b"/")[0] for (source,) in self._db.execute("SELECT source FROM recordings")}
        return Offered(tuple(languages), tuple(map(os.fsdecode, sorted(folders - {b""}))))

    def checked(self) -> tuple[float, float]:
        """When the latest look at every result ended, in UTC seconds, and how many seconds it took; zeros: there was none."""
        with translated(self.path):
            row = self._db.execute("SELECT ended_at, took FROM checks").fetchone()
        return (0.0, 0.0) if row is None else row

    def note_check(self, ended_at: float, took: float) -> None:
        with self.transaction():
            self._db.execute("DELETE FROM checks")
            self._db.execute("INSERT INTO checks VALUES (?, ?)", (ended_at, took))

    def page(self, after: int, until: int) -> dict[int, Entry]:
        """The recordings whose numbers are over `after` and not over `until`."""
        query = """
            SELECT job, source, created_at, language, path, size, mtime_ns, ctime_ns FROM recordings
            WHERE job > ? AND job <= ?
        """
        with translated(self.path):
            rows = self._db.execute(query, (after, until)).fetchall()
        return {row[0]: Entry(Recording(*row[:5]), Signature(*row[5:]) if row[5] >= 0 else None) for row in rows}

    def is_taken(self, recording: Recording) -> bool:
        """Whether the result of a newer job has the path of this one's: `redo` may put it there."""
        query = "SELECT 1 FROM recordings WHERE path = ? AND job > ? LIMIT 1"
        with translated(self.path):
            return self._db.execute(query, (recording.path, recording.job)).fetchone() is not None

    def searchable(self) -> int:
        """How many recordings have their text in it."""
        with translated(self.path):
            count: int = self._db.execute("SELECT count(*) FROM recordings WHERE size >= 0").fetchone()[0]
            return count

    def put(self, recording: Recording, signature: Signature | None = None, said: Sequence[Said] = ()) -> None:
        """Store this about a recording, in place of what the index had.

        Args:
            recording: it is found at least by its name.
            signature: of the file that its text was read from; None: none could be read.
            said: its text.
        """
        with translated(self.path):
            self._strip(recording.job)
            row = (
                recording.job, recording.source, recording.created_at, recording.language, recording.path,
                *(signature or (-1, 0, 0)),
            )  # fmt: skip
            self._db.execute("REPLACE INTO recordings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._add(recording, said)
        if signature is not None:
            self._take_from_older(recording)

    def _take_from_older(self, newer: Recording) -> None:
        """A redo may have replaced the result of an older job, which has no text any more then."""
        query = "SELECT job FROM recordings WHERE path = ? AND job < ? AND size >= 0"
        with translated(self.path):
            older = self._db.execute(query, (newer.path, newer.job)).fetchall()
        for (job,) in older:
            self.put(self.page(job - 1, job)[job].recording)

    def remove(self, job: int) -> None:
        """Remove a recording from the index."""
        with translated(self.path):
            self._strip(job)
            self._db.execute("DELETE FROM recordings WHERE job = ?", (job,))

    def tidy(self) -> bool:
        """Merge some of FTS5's segments, if texts were removed: only a merge removes their words from the file.

        Returns whether there is more to do. See https://sqlite.org/fts5.html#the_merge_command
        """
        with translated(self.path):
            if self._db.execute("PRAGMA user_version").fetchone()[0] == _TIDY:
                return False
        with self.transaction():
            before = self._db.total_changes
            pages = _PAGES
            if self._db.execute("PRAGMA user_version").fetchone()[0] == _UNTIDY:
                pages = -_PAGES  # begins a merge of all segments
                self._db.execute(f"PRAGMA user_version = {_MERGING}")
            self._db.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))
            if pages > 0 and self._db.total_changes - before < 2:
                self._db.execute(f"PRAGMA user_version = {_TIDY}")
        return True

    def _add(self, recording: Recording, said: Sequence[Said]) -> None:
        found: list[str] = []
        starts = array("I")
        length = 0
        for segment in said:
            starts.append(length)
            more = atoms(segment.text)
            length += sum(map(len, more)) + len(more)
            found += more
        name = atoms(name_of(recording.source))
        languages = [recording.language, *(segment.language for segment in said)]
        tags = " ".join([alone([*name, *found]), *facets(recording.source, languages)])
        texts = (
            recording.job, zlib.compress(key(found).encode(), 1), zlib.compress(starts.tobytes(), 1),
            zlib.compress(json.dumps(said, ensure_ascii=False).encode(), 1), tags,
        )  # fmt: skip
        self._db.execute("INSERT INTO texts VALUES (?, ?, ?, ?, ?)", texts)
        words = (recording.job, tokens(name), tokens(found), tags)
        self._db.execute("INSERT INTO words (rowid, name, body, facets) VALUES (?, ?, ?, ?)", words)

    def _strip(self, job: int) -> None:
        """Remove a text from the index. To delete a row, FTS5 (contentless here) has to be given its tokens."""
        query = "SELECT source, key, facets FROM texts JOIN recordings USING (job) WHERE job = ?"
        row = self._db.execute(query, (job,)).fetchone()
        if row is None:
            return
        source, packed, tags = row
        body = tokens(atoms_of(zlib.decompress(packed).decode()))
        values = (job, tokens(atoms(name_of(source))), body, tags)
        self._db.execute("INSERT INTO words (words, rowid, name, body, facets) VALUES ('delete', ?, ?, ?, ?)", values)
        self._db.execute("DELETE FROM texts WHERE job = ?", (job,))
        self._db.execute(f"PRAGMA user_version = {_UNTIDY}")


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file has this name; None: no file that can be seen."""
    try:
        seen = path.lstat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino
