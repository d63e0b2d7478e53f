"""Whether the service's user can read this sttd and its Python. Below /root or /home it cannot, whatever the modes say.

Checked before anything is written, by the modes for other users: the service's user may not exist yet.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import sttd
from sttd.errors import SttdError

# what the unit hides from the service (systemd.exec(5): ProtectHome=, PrivateTmp=)
HIDDEN = {
    **dict.fromkeys(("/home", "/root", "/run/user"), "the service sees no home folder (ProtectHome=)"),
    **dict.fromkeys(("/tmp", "/var/tmp"), "the service has a folder of its own there (PrivateTmp=)"),  # noqa: S108
}
ADVICE = "Make a virtual environment of /usr/bin/python3 in /opt/sttd, and run `sttd install` from there"


def program(top: Path) -> list[str]:
    """The words that run this sttd, as a unit needs them. If it lies below `top` (DESTDIR), `top` is left out of the path."""
    python = Path(sys.executable)
    script = python.parent / "sttd"
    path = script if script.is_file() else python
    installed = Path("/", path.relative_to(top)) if path.is_relative_to(top) else path
    return [str(installed)] if path == script else [str(installed), "-P", "-m", "sttd"]


def needed(words: list[str]) -> list[Path]:
    """What the service must be able to read: the program, its interpreter, and both of their libraries."""
    return [Path(words[0]), Path(sys.executable), Path(os.__file__), Path(sttd.__file__), *_libraries()]


def _libraries() -> list[Path]:
    """Where the dependencies were imported from."""
    import click  # noqa: PLC0415 - any one of them will do

    return [Path(click.__file__)]


def problem(path: Path) -> str | None:
    """Why an ordinary user cannot read `path` from within the service; None: they can."""
    for step in _steps(path):
        hidden = next((why for top, why in HIDDEN.items() if step.is_relative_to(top)), None)
        if hidden:
            return f"{path} lies at {step}: {hidden}" if step != path else f"{path}: {hidden}"
        blocked = _blocked(step)
        if blocked:
            return f"{path}: {blocked}"
    return None


def _steps(path: Path) -> Iterator[Path]:
    """The path, and the path after each link on the way. One by one, as it may be impossible to look below a hidden folder."""
    step: Path | None = path
    for _ in range(40):  # the kernel's own limit
        if step is None:
            return
        yield step
        step = _first_link(step)


def _first_link(path: Path) -> Path | None:
    """The path with its first symbolic link replaced by where that leads."""
    for component in [*reversed(path.parents), path]:
        if component.is_symlink():
            target = component.parent / component.readlink()
            return Path(os.path.normpath(target / path.relative_to(component)))
    return None


def _blocked(path: Path) -> str | None:
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return f"{folder} is closed to other users (mode {stat.S_IMODE(folder.stat().st_mode):04o})"
    mode = path.stat().st_mode
    if not mode & stat.S_IROTH:
        return f"it may not be read by other users (mode {stat.S_IMODE(mode):04o})"
    return None


def require(words: list[str]) -> None:
    """Raises NotReadable if the service could not read this sttd; the message lists all reasons."""
    found = dict.fromkeys(why for path in needed(words) if (why := problem(path)) is not None)
    if found:
        raise NotReadable("the service could not read this sttd: " + "; ".join(found) + f". {ADVICE}")


class NotReadable(SttdError):
    """sttd lies where its service cannot read it."""
