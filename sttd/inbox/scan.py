"""One walk through the inbox: every regular file that may be a job, as it is now.

Symbolic links are followed nowhere. Names are what `os.fsdecode` makes of their bytes. A folder that cannot be
read is in `errors`: the walk is then incomplete, and a file that it did not meet must not be taken for gone.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sttd.inbox.ignored import Ignored
from sttd.inbox.rules import Rules, Why
from sttd.job import Identity
from sttd.own import AWAY, OWN

_VANISHED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # gone, or no longer a folder, since its parent was read


class Scan:
    """Iterate over it for (path relative to `root`, identity); afterwards the attributes describe the walk."""

    def __init__(self, root: str, rules: Rules) -> None:
        self.errors: dict[str, OSError] = {}  # by folder; "" is the inbox itself
        self.ignored = Ignored()
        self.mounts: dict[str, int] = {}  # folders on another file system than their parent, with its device number
        self.folders = 0
        self.own: list[str] = []  # sources on their way out, or stranded there
        self._root = root
        self._rules = rules
        self._waiting: list[tuple[str, int]] = []  # folders still to be read, with their device numbers

    def __iter__(self) -> Iterator[tuple[str, Identity]]:
        try:
            self._waiting = [("", Path(self._root).stat().st_dev)]
        except OSError as error:
            self.errors[""] = error
            return
        while self._waiting:
            folder, device = self._waiting.pop()
            self.folders += 1
            try:
                with os.scandir(f"{self._root}/{folder}") as entries:
                    yield from self._read(folder, device, entries)
            except OSError as error:
                self._refused(folder, error)

    def _read(self, folder: str, device: int, entries: Iterator[os.DirEntry[str]]) -> Iterator[tuple[str, Identity]]:
        start = f"{folder}/" if folder else ""
        why_not = self._rules.file
        for entry in entries:
            name = entry.name
            if entry.is_dir(follow_symlinks=False):
                self._enter(folder, start + name, device, entry)
                continue
            if name.startswith(OWN):
                if AWAY in name:
                    self.own.append(start + name)
                continue
            why = why_not(name)
            if why is None and entry.is_symlink():
                why = Why.LINK
            if why is None:
                seen = self._stat(folder, entry)
                if seen is None:
                    continue
                if stat.S_ISREG(seen.st_mode):
                    yield start + name, Identity.of(seen)
                    continue
                why = Why.SPECIAL
            if why is not Why.RESULT:
                self.ignored.add(why, start + name)

    def _enter(self, folder: str, rel: str, device: int, entry: os.DirEntry[str]) -> None:
        if entry.name.startswith(OWN):
            return
        why = self._rules.folder(entry.name)
        if why is not None:
            self.ignored.add(why, rel)
            return
        seen = self._stat(folder, entry)
        if seen is None:
            return
        if seen.st_dev != device:
            self.mounts[rel] = seen.st_dev
        self._waiting.append((rel, seen.st_dev))

    def _stat(self, folder: str, entry: os.DirEntry[str]) -> os.stat_result | None:
        """None: it is gone since its folder was read, or cannot be looked at; its neighbours still can."""
        try:
            return entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._refused(folder, error)
            return None

    def _refused(self, folder: str, error: OSError) -> None:
        if error.errno == errno.ENAMETOOLONG:
            self.ignored.add(
                Why.DEEP, folder
            )  # nothing below it was ever known, so the walk is as complete as it can be
        elif not folder or error.errno not in _VANISHED:
            self.errors.setdefault(folder, error)


def look(root: str, rel: str) -> Identity | None:
    """One file as it is now; None: there is no regular file, or a folder on the way to it is a symbolic link.

    Raises:
        OSError: it could not be looked at, which says nothing about whether it is there.
    """
    path = root
    *folders, name = rel.split("/")
    try:
        for folder in folders:
            path = f"{path}/{folder}"
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                return None
        seen = os.lstat(f"{path}/{name}")
    except OSError as error:
        if error.errno in _VANISHED:
            return None
        raise
    return Identity.of(seen) if stat.S_ISREG(seen.st_mode) else None
