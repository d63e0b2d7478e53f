"""Writes and removes the files, and runs systemd's commands. A dry run lists the same steps and does nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from sttd.errors import SttdError
from sttd.install.items import EXTRAS, SYSTEM, Item, Kind

FILE_MODE, FOLDER_MODE = 0o644, 0o755
UMASK = 0o022  # for all that is written and run here, whatever umask the installing user has
Tell = Callable[[str, str], None]  # reports a step: what happens, and to which file


class CommandFailed(SttdError):
    """One of systemd's commands failed."""


class Machine:
    """The file system below `top` (DESTDIR). systemd's commands run only if that is `/`.

    Args:
        top: `/`, or the folder in which a package is built.
        dry: only report the steps.
        tell: called with each step.
    """

    def __init__(self, top: Path, *, dry: bool, tell: Tell) -> None:
        self.top = top
        self._dry = dry
        self._tell = tell

    @property
    def live(self) -> bool:
        """Whether this is the machine itself, and not a package that is being built."""
        return self.top == Path("/")

    def at(self, path: Path) -> Path:
        return self.top / path.relative_to("/")

    def put(self, item: Item) -> None:
        """Write one file or link, unless it is as wanted already, or somebody else's (see `Kind`)."""
        path = self.at(item.path)
        if _is_as_wanted(path, item):
            self._tell("unchanged", str(path))
        elif item.kind is Kind.LINK and os.path.lexists(path) and not _is_dead_link(path):
            self._tell("left alone, it is not ours", str(path))
        elif item.kind is Kind.CONFIG and os.path.lexists(path):
            self._tell("left as it is", str(path))
            self.put(Item(item.path.with_name(item.path.name + ".new"), item.content))
        else:
            self._tell("replaced" if os.path.lexists(path) else "created", str(path))
            if not self._dry:
                _write(path, item)

    def take(self, item: Item) -> None:
        """Remove one file, if it is ours."""
        path = self.at(item.path)
        if not os.path.lexists(path):
            return
        if item.kind is not Kind.FILE and not _is_as_wanted(path, item):
            self._tell("left, it is not as it was installed", str(path))
            return
        self.remove(path)

    def remove(self, path: Path) -> None:
        self._tell("removed", str(path))
        if not self._dry:
            path.unlink()
            with contextlib.suppress(OSError):  # another file is in the folder
                if path.parent.name.endswith(".d") or path.parent.name == "sttd":
                    path.parent.rmdir()

    def run(self, *words: str, missing_is_fine: bool = False) -> None:
        """Run one of systemd's commands; only if `live`.

        Raises:
            CommandFailed: there is no such command, or it ends with an error.
        """
        if not self.live:
            return
        if shutil.which(words[0]) is None and missing_is_fine:
            return
        self._tell("runs", " ".join(words))
        if self._dry:
            return
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False, umask=UMASK)
        except FileNotFoundError:
            raise CommandFailed(
                f"there is no {words[0]}: the service needs systemd (apt-get install systemd)"
            ) from None
        if done.returncode:
            raise CommandFailed(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()}")


def running_services(machine: Machine) -> Sequence[str]:
    """The services of sttd that run now: they still use the version that was installed when they were started."""
    if not machine.live or not systemd_runs():
        return []
    words = ["systemctl", "list-units", "--plain", "--no-legend", "--state=active", "sttd.service", "sttd@*.service"]
    found = subprocess.run([*words, *EXTRAS], capture_output=True, text=True, check=False).stdout
    return [line.split()[0].removesuffix(".service") for line in found.splitlines() if line.split()]


def systemd_runs() -> bool:
    """Whether systemd is PID 1 here (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def installed_extras(machine: Machine) -> Sequence[str]:
    """The units of `items.EXTRAS` that are installed: an older version did not install all of them."""
    return [unit for unit in EXTRAS if machine.at(SYSTEM / unit).exists()]


def enabled_instances(machine: Machine, system: Path) -> Sequence[str]:
    """The instances of the template that are started at boot."""
    found = {path.name for path in machine.at(system).glob("*.wants/sttd@*.service")}
    return sorted(found)


def _is_dead_link(path: Path) -> bool:
    """Whether it is a link that leads nowhere: that of an sttd that was removed."""
    return path.is_symlink() and not path.exists()


def _is_as_wanted(path: Path, item: Item) -> bool:
    if item.kind is Kind.LINK:
        return path.is_symlink() and str(path.readlink()) == item.content
    if not path.is_file() or path.is_symlink() or path.read_bytes() != item.content.encode():
        return False
    mode = stat.S_IMODE(path.stat().st_mode)
    return mode == FILE_MODE if item.kind is Kind.FILE else not mode & 0o022


def _write(path: Path, item: Item) -> None:
    """Write a file or link, whole or not at all."""
    _make_folder(path.parent)
    with tempfile.TemporaryDirectory(prefix=".sttd-", dir=path.parent) as scratch:
        temporary = Path(scratch, "new")
        if item.kind is Kind.LINK:
            temporary.symlink_to(item.content)
        else:
            temporary.write_text(item.content, "utf-8")
            temporary.chmod(FILE_MODE)
        temporary.replace(path)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, readable by all, writable by the owner alone."""
    for path in (*reversed(folder.parents), folder):
        if not path.is_dir():
            path.mkdir()
            path.chmod(FOLDER_MODE)
        elif path == folder and path.name.startswith("sttd") and stat.S_IMODE(path.stat().st_mode) & 0o002:
            path.chmod(FOLDER_MODE)  # ours, made by an older version under a umask of 000
