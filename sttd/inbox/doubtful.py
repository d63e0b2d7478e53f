"""Files with a recording's name that are no recordings, or not complete yet: they are checked once they have settled."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from sttd.inbox.content import is_recording
from sttd.inbox.ignored import Ignored
from sttd.inbox.rules import Why, is_unfinished_suffix

# aria2, axel, lftp and yt-dlp may give a download its final name at once, and have their notes beside it until it is whole
_NOTES = (".aria2", ".st", ".lftp-pget-status", ".ytdl")
# yt-dlp loads picture and sound as `name.f137.mp4` and `name.f140.m4a` before it joins them; other sites' formats have other names
_FORMAT = re.compile(r"(.+)\.f[^.]+\.\w+", re.DOTALL)
TICK = 2.0  # seconds: the coarsest times of a file system; within them a folder may change and keep its time


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder as it was read last."""

    version: tuple[str, int]
    read: float  # monotonic seconds
    reserved: frozenset[str]


class Doubtful:
    """Checks such files, and remembers those that it refused, so that walks can count them."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._left: dict[str, Why] = {}
        self._folder = _Folder(("", 0), 0.0, frozenset())

    def is_left(self, rel: str) -> bool:
        """Whether it was refused when it was asked about last."""
        return rel in self._left

    def why_not(self, rel: str) -> Why | None:
        """Why a file that has settled is no job now; None: it is one."""
        why = self._look(rel)
        if why is None:
            self._left.pop(rel, None)
        else:
            self._left[rel] = why
        return why

    def count(self, seen: Container[str], ignored: Ignored) -> list[str]:
        """After a walk: count what is still there, and forget the rest. Returns what was unfinished and no longer is."""
        self._left = {rel: why for rel, why in self._left.items() if rel in seen}
        whole = [rel for rel, why in self._left.items() if why is Why.UNFINISHED and not self._is_unfinished(rel)]
        for rel in whole:
            del self._left[rel]
        for rel, why in self._left.items():
            ignored.add(why, rel)
        return whole

    def _look(self, rel: str) -> Why | None:
        try:
            if self._is_unfinished(rel):
                return Why.UNFINISHED
            return None if is_recording(f"{self._root}/{rel}") else Why.CONTENT
        except OSError:
            return None  # the next reader of the file reports the error

    def _is_unfinished(self, rel: str) -> bool:
        path = f"{self._root}/{rel}"
        try:
            if any(os.path.lexists(f"{path}{notes}") for notes in _NOTES):
                return True
            folder, _, name = path.rpartition("/")
            joined = _FORMAT.fullmatch(name)
            if joined is not None and joined[1] in self._reserved(folder):
                return True
            # Firefox reserves the final name with an empty file, and writes to `name.<random>.suffix.part` or `name.suffix.part`
            return os.lstat(path).st_size == 0 and name.rpartition(".")[0] in self._reserved(folder)
        except OSError:
            return False

    def _reserved(self, folder: str) -> frozenset[str]:
        """The starts, up to each dot, of unfinished files' names in a folder. Cached: thousands of empty files may ask."""
        version, now = (folder, Path(folder).stat().st_mtime_ns), time.monotonic()
        if self._folder.version != version or now - self._folder.read > TICK:
            names = [each.name.rpartition(".")[0] for each in Path(folder).iterdir() if is_unfinished_suffix(each.name)]
            starts = (name[:end] for name in names for end, char in enumerate(name) if char == ".")
            self._folder = _Folder(version, now, frozenset(starts))
        return self._folder.reserved
