"""What a power cut would leave of a folder: nothing that was not fsynced, as a stopped daemon's real files tell it.

The model is the strictest that file systems with a journal still keep: an entry of a folder is there for good once the
folder was fsynced, the content of a file once the file was; a rename is whole or not at all. Three images a step:

- `absent`: all that was not fsynced is gone, old names are back;
- `empty`: every name is as it was at the cut, and a file that was not fsynced has the content it had at its last fsync;
- `eager`: as `absent`, but what was unlinked is gone at once, fsync or not: who unlinks too early loses.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from tests.crash.steps import Step

Number = tuple[int, int]  # device and inode
VARIANTS = ("absent", "empty", "eager")


@dataclass(frozen=True)
class Content:
    data: bytes = b""
    mtime_ns: int | None = None  # None: when it is restored
    mode: int = 0o640
    number: Number | None = None  # two names with the same are one file

    @functools.cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


Image = dict[str, Content | None]  # by path below the root; None: a folder


class Disk:
    """Follows the steps of a daemon over the folder `root`, everything in which is on disk at the beginning."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._content: dict[Number, Content] = {}
        self._entries: dict[Number, dict[str, Number]] = {}
        self._renamed: list[tuple[Number, str, Number, str, Number]] = []  # and in neither folder's fsync since
        self._unlinked: dict[Number, set[str]] = {}
        for folder, _, names in os.walk(root):
            self._entries[_number(folder)] = _listing(folder)
            for name in names:
                self._keep(os.path.join(folder, name))

    def follow(self, step: Step) -> None:
        """The daemon stands still right after `step`."""
        path = str(self._root / step.path)
        if step.call.startswith("rename"):
            target = str(self._root / step.target)
            if os.path.lexists(target):
                folders = _number(os.path.dirname(path)), _number(os.path.dirname(target))
                names = os.path.basename(path), os.path.basename(target)
                self._renamed.append((folders[0], names[0], folders[1], names[1], _number(target)))
        elif step.call.startswith(("unlink", "rmdir")) and os.path.isdir(os.path.dirname(path)):
            self._unlinked.setdefault(_number(os.path.dirname(path)), set()).add(os.path.basename(path))
        elif step.call in ("fsync", "fdatasync") and os.path.isdir(path):
            self._keep_folder(path)
        elif step.call in ("fsync", "fdatasync") and os.path.isfile(path):
            self._keep(path)

    def _keep(self, path: str) -> None:
        seen = os.stat(path)
        self._content[_number(path)] = Content(Path(path).read_bytes(), seen.st_mtime_ns, stat.S_IMODE(seen.st_mode))

    def _keep_folder(self, path: str) -> None:
        here = _number(path)
        self._entries[here] = _listing(path)
        self._unlinked.pop(here, None)
        waiting = []
        for old, name, new, fresh, number in self._renamed:
            if here not in (old, new):
                waiting.append((old, name, new, fresh, number))
                continue
            if self._entries.get(old, {}).get(name) == number:
                del self._entries[old][name]
            self._entries.setdefault(new, {}).setdefault(fresh, number)
        self._renamed = waiting

    def image(self, variant: str) -> Image:
        found: Image = {}
        self._collect("", _number(str(self._root)), variant, found, _kinds(self._root))
        return found

    def _collect(self, below: str, folder: Number, variant: str, found: Image, kinds: dict[Number, bool]) -> None:
        entries = dict(self._entries.get(folder, {}))
        if variant == "empty":
            entries = _listing(str(self._root / below))
        if variant == "eager":
            entries = {name: n for name, n in entries.items() if name not in self._unlinked.get(folder, ())}
        for name, number in sorted(entries.items()):
            path = os.path.join(below, name)
            # what is not among them was made meanwhile, by a child that the daemon had forked and that did not stand still
            is_folder = kinds[number] if number in kinds else os.path.isdir(self._root / path)
            if number in self._entries or is_folder:
                found[path] = None
                self._collect(path, number, variant, found, kinds)
            else:
                found[path] = dataclasses.replace(self._content.get(number, Content()), number=number)


def digest(image: Image) -> str:
    """Equal for images that are equal but for times of change that do not count."""
    words = [(path, None if each is None else each.sha256, _twin(image, path)) for path, each in sorted(image.items())]
    return hashlib.sha256(repr(words).encode()).hexdigest()


def _twin(image: Image, path: str) -> str:
    """The first name of the file that has this one; the only one, mostly."""
    content = image[path]
    if content is None or content.number is None:
        return path
    return min(other for other, each in image.items() if each is not None and each.number == content.number)


def clear(root: Path) -> None:
    """Empty the folder; what is mounted in it stays."""
    for entry in os.scandir(root):
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
        elif os.path.ismount(entry.path):
            clear(Path(entry.path))
        else:
            shutil.rmtree(entry.path)


def restore(image: Image, root: Path) -> None:
    clear(root)
    for path, content in sorted(image.items()):
        target = root / path
        if content is None:
            target.mkdir(exist_ok=True)
            continue
        first = _twin(image, path)
        if first != path:
            os.link(root / first, target)
            continue
        target.write_bytes(content.data)
        target.chmod(content.mode)
        if content.mtime_ns is not None:
            os.utime(target, ns=(content.mtime_ns, content.mtime_ns))


def _number(path: str) -> Number:
    seen = os.stat(path)
    return seen.st_dev, seen.st_ino


def _listing(folder: str) -> dict[str, Number]:
    return {name: _number(os.path.join(folder, name)) for name in os.listdir(folder)}


def _kinds(root: Path) -> dict[Number, bool]:
    """Which of the files and folders that are there now are folders."""
    found = {}
    for folder, folders, names in os.walk(root):
        found |= {_number(os.path.join(folder, name)): True for name in folders}
        found |= {_number(os.path.join(folder, name)): False for name in names}
    return found
