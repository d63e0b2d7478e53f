"""Which names are never a job, and why. Names are strings that may hold surrogates; nothing is looked up."""

from __future__ import annotations

import enum
from collections.abc import Iterable

OWN = ".sttd"  # what sttd itself puts into the inbox begins so: its lock, and sources on their way out

AWAY = ".filing."  # in the names of the latter

_UNFINISHED = frozenset({"part", "tmp", "crdownload", "filepart"})
# Syncthing's, Synology's (thumbnails under the recording's own name), ext4's (no user may read it)
_FOREIGN_FOLDERS = frozenset({"@eaDir", "lost+found"})


class Why(enum.StrEnum):
    """Why something in the inbox is no job, in the words of `sttd status`."""

    HIDDEN = "hidden"
    UNFINISHED = "unfinished copy or download"
    FOREIGN = "folder of a sync app, a NAS or a file system"
    LINK = "symbolic link"
    SPECIAL = "not a regular file"
    SUFFIX = "suffix not in watch.suffixes"
    DEEP = "path too long"


class Rules:
    """The ignore rules of DESIGN section 4, with the configured `suffixes` (any case, with or without the dot)."""

    def __init__(self, suffixes: Iterable[str]) -> None:
        self._suffixes = frozenset(suffix.lower().removeprefix(".") for suffix in suffixes)

    def file(self, name: str) -> Why | None:
        """Why a file of this name is no job; None: it is one. What is unfinished is so whatever `suffixes` say."""
        if name[:1] == ".":
            return Why.HIDDEN
        stem, dot, suffix = name.rpartition(".")
        suffix = suffix.lower()
        if name[:1] == "~" or (dot and suffix in _UNFINISHED):
            return Why.UNFINISHED
        return None if dot and stem and suffix in self._suffixes else Why.SUFFIX

    def folder(self, name: str) -> Why | None:
        """Why nothing below a folder of this name is a job; None: it is looked into."""
        if name[:1] == ".":  # .stfolder, .stversions, .Trash-1000, .git
            return Why.HIDDEN
        if name in _FOREIGN_FOLDERS:
            return Why.FOREIGN
        return Why.UNFINISHED if name[:1] == "~" else None

    def path(self, rel: str) -> Why | None:
        """The same for a path relative to the inbox: each folder of it counts, then the file's name."""
        *folders, name = rel.split("/")
        for folder in folders:
            why = self.folder(folder)
            if why is not None:
                return why
        return self.file(name)
