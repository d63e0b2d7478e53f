"""Our control group, of version 1 or 2, and those above it: their limits count for us too (cgroups(7))."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


class Group(NamedTuple):
    """One control group, as the folder of its files."""

    version: int
    folder: Path

    def read(self, name: str) -> str:
        """A file's text; "" where there is no such file."""
        return read(self.folder / name)

    def number(self, name: str) -> int | None:
        """None also for `max`, which is no limit."""
        text = self.read(name).strip()
        return int(text) if text.isdigit() else None

    def statistic(self, file: str, name: str) -> int | None:
        """The number after `name` in a file whose lines are `NAME NUMBER`."""
        return statistic(self.folder / file, name)


def groups(controller: str, proc: Path = PROC, cgroups: Path = CGROUPS) -> Iterator[Group]:
    """Our own group, then those above it up to the mount's top, in each hierarchy that may have `controller`."""
    for line in read(proc / "self" / "cgroup").split("\n"):
        _, controllers, path = [*line.split(":", 2), "", "", ""][:3]
        if line and controllers == "":
            yield from (Group(2, each) for top in (cgroups, cgroups / "unified") for each in _upwards(top, path))
        elif controller in controllers.split(","):
            tops = (cgroups / controllers, cgroups / controller)  # `cpu` is mostly a link to `cpu,cpuacct`
            top = next((each for each in tops if each.is_dir()), tops[1])
            yield from (Group(1, each) for each in _upwards(top, path))


def _upwards(top: Path, path: str) -> list[Path]:
    """The folder of our group and those above it.

    A container may see its host's path, which does not exist below the mount: then the mount's top is our group.
    """
    own = top / path.strip("/")
    if not own.is_dir():
        return [top]
    return [own, *(parent for parent in own.parents if parent.is_relative_to(top))]


def read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):  # not this kind of cgroup, or not ours to read
        return ""


def statistic(path: Path, name: str) -> int | None:
    words = (line.split() for line in read(path).splitlines())
    return next((int(line[1]) for line in words if len(line) == 2 and line[0] == name and line[1].isdigit()), None)
