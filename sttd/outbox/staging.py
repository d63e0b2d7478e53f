"""The hidden folder of one job, on the file system that its files will be moved to: `.sttd-staging/<job>/`.

It also holds the job's notes: small numbers that a start after a kill needs to know how far things had come.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from sttd.outbox import files

NAME = ".sttd-staging"
_MOUNTS = Path("/proc/self/mountinfo")  # proc(5)
_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Notes:
    """Numbers by name, one file each; 0 where nothing was noted. Each is durable when `put` returns."""

    folder: Path

    def get(self, name: str) -> int:
        try:
            return int((self.folder / f"note.{name}").read_bytes())
        except FileNotFoundError:
            return 0

    def put(self, name: str, number: int) -> None:
        files.write(self.folder / f"note.{name}", b"%d" % number)
        files.fsync_folder(self.folder)

    def drop(self, name: str) -> None:
        (self.folder / f"note.{name}").unlink(missing_ok=True)


def folder_for(root: Path, target: Path, job: int) -> Path:
    """Where a job stages what goes into `target`, a folder that exists below `root`. Nothing is made."""
    return base_for(root, os.path.realpath(root), os.path.realpath(target), mount_points()) / NAME / str(job)


def base_for(root: Path, real_root: str, real_target: str, points: list[str]) -> Path:
    """The folder that the staging folder is in: `root`, unless `target` is on another mount.

    Args:
        root: as configured.
        real_root: the same without links.
        real_target: the folder that files will go to, without links.
        points: the mount points of this machine.
    """
    if not _holds(real_root, real_target):  # a link leads out of the root
        return Path(real_target)
    nearest = max((point for point in points if _holds(point, real_target)), key=len, default="/")
    return root if _holds(nearest, real_root) else Path(nearest)


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def mount_points() -> list[str]:
    """All of them; two mounts of one disk cannot rename between each other, though their device is the same."""
    try:
        table = _MOUNTS.read_bytes()
    except OSError:  # no /proc: a rename that meets another mount says so
        return []
    fields = (line.split(b" ", 5) for line in table.splitlines())
    return [os.fsdecode(_ESCAPE.sub(_octal, field[4])) for field in fields if len(field) > 5]


def _octal(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8)])


def make(folder: Path) -> None:
    """The staging folder of a job, for this service alone; durable."""
    base = folder.parent
    made = False
    for path in (base, folder):
        try:
            os.mkdir(path, 0o700)
            made = True
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise
    if made:
        files.fsync_folder(base)
        files.fsync_folder(base.parent)


def remove(folder: Path) -> None:
    """Forget the staging folder of a job. It holds nothing that is not elsewhere, or given up."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def leftovers(root: Path, live: set[int]) -> list[Path]:
    """Staging folders in `root`, and on the mounts below it, of jobs that are not `live`."""
    real = os.path.realpath(root)
    found = []
    for base in {real, *(point for point in mount_points() if _holds(real, point))}:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(Path(base) / NAME) as entries:
            found += [Path(entry.path) for entry in entries if entry.name.isdecimal() and int(entry.name) not in live]
    return found
