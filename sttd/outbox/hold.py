"""A source under a private name, where it can be looked at once more and nobody else finds it by name.

The private name is the source's own in a folder `.sttd-out-<job>` beside it: known from the job alone, never too
long, and what is found in such a folder after a crash says itself what it is called.
"""

from __future__ import annotations

import enum
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sttd.job import Identity
from sttd.outbox import files, names

PREFIX = ".sttd-out-"
MARK = ".sttd.lock"  # the inbox's lock file, whose content tells this inbox from the bare folder under its mount


class Look(enum.Enum):
    """What was found where the source should be."""

    HELD = "the source, now under its private name"
    CHANGED = "something else; it is left, or put back, under its public name"
    GONE = "nothing"


@dataclass(frozen=True, slots=True)
class Version:
    """What tells the source that was transcribed from any other file."""

    identity: Identity
    ctime_ns: int = 0  # while it was transcribed; another one leaves a doubt
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    source: Path
    job: int

    @property
    def folder(self) -> Path:
        return self.source.parent / f"{PREFIX}{self.job}"

    @property
    def path(self) -> Path:
        """The private name."""
        return self.folder / self.source.name

    def is_held(self) -> bool:
        return files.look(self.path) is not None

    def take(self, version: Version) -> Look:
        """Rename the source to its private name if it is the right version; look again after that."""
        doubt = True  # held by a run that was killed: nothing is known of how long
        if not self.is_held():
            seen = files.look(self.source)
            if seen is None:
                self.release()
                return Look.GONE
            if not files.is_version(seen, version.identity):
                self.release()
                return Look.CHANGED
            doubt = seen.st_ctime_ns != version.ctime_ns
            self._rename()
        if not self.is_held():
            self.release()
            return Look.GONE
        if not self._is(version, doubt):
            self.put_back()
            return Look.CHANGED
        return Look.HELD

    def _rename(self) -> None:
        try:
            os.mkdir(self.folder, 0o700)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(self.folder).st_mode):  # a link would lead elsewhere
                raise
        try:
            os.rename(self.source, self.path)
        except FileNotFoundError:
            return
        files.fsync_folder(self.folder)
        files.fsync_folder(self.source.parent)

    def _is(self, version: Version, doubt: bool) -> bool:
        """Size and time, and the content where its inode has been touched since it was read."""
        seen = os.lstat(self.path)
        if not files.is_version(seen, version.identity):
            return False
        return not doubt or version.sha256 is None or files.digest(self.path) == version.sha256

    def put_back(self) -> None:
        """Give it its name again, or with ` (2)` where a new file has that."""
        number = 1
        while True:
            try:
                files.move(self.path, self.source.with_name(names.numbered(self.source.name, number)))
                break
            except FileExistsError:
                number += 1
        self.release()

    def release(self) -> None:
        """Remove the private folder, which is empty now."""
        try:
            (self.folder / files.MARK).unlink(missing_ok=True)
            os.rmdir(self.folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        files.fsync_folder(self.folder.parent)


def mark_of(inbox: Path) -> str:
    """What the inbox's lock file says; "" where there is none."""
    try:
        return os.fsdecode((inbox / MARK).read_bytes())
    except FileNotFoundError:
        return ""


def require_inbox(inbox: Path, mark: str | None) -> None:
    """Make sure that what is missing in the inbox is really gone.

    Args:
        inbox: the folder.
        mark: what its lock file said before; None: it was not looked at.

    Raises:
        FileNotFoundError: it is not the folder that it was: unmounted, or another one.
    """
    found = mark_of(inbox)
    if not found if mark is None else found != mark:
        raise FileNotFoundError(errno.ENOENT, "the inbox is away: mount it again", str(inbox))


def leftovers(inbox: Path, live: set[int]) -> Iterator[Hold]:
    """What is still held in the inbox for jobs that are not `live`. Folders that cannot be read are passed over."""
    waiting = [inbox]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                below = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:  # the inbox itself says what it cannot read
            continue
        for name in below:
            job = name.removeprefix(PREFIX)
            if name.startswith(PREFIX) and job.isdecimal():
                if int(job) not in live:
                    yield from _held(folder, int(job))
            elif not name.startswith("."):
                waiting.append(folder / name)


def _held(folder: Path, job: int) -> Iterator[Hold]:
    with os.scandir(folder / f"{PREFIX}{job}") as entries:
        found = [entry.name for entry in entries if entry.name != files.MARK]
    yield from (Hold(folder / name, job) for name in found)
    if not found:
        Hold(folder / "_", job).release()
