"""The drop-in that opens one more folder to the service: `sttd install --drop-in folder PATH`.

The unit lets the service write only below /srv/sttd and in its state folder (ProtectSystem=strict), and hides home folders
from it (ProtectHome=yes). A folder elsewhere is made writable by ReadWritePaths=. One in a home folder is bind-mounted into an
empty tmpfs that replaces all home folders, so that the service sees nothing else there (systemd.exec(5)).
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from sttd.errors import UsageError
from sttd.host.sandbox import HOMES
from sttd.install.items import SYSTEM, Item

PREFIX = "folder-"  # of the drop-ins' names
_OWN = ("/tmp", "/var/tmp", "/proc", "/sys", "/dev")  # noqa: S108 - the service has its own of these


def drop_in(path: str, unit: str) -> Item:
    """The drop-in of a unit for one folder.

    Raises:
        UsageError: this folder cannot be opened to the service.
    """
    folder = os.path.abspath(path)  # noqa: PTH100 - links stay as typed
    if folder == "/" or any(_is_below(folder, own) for own in _OWN):
        raise UsageError(f"{folder} cannot be opened to the service, which has its own: choose another folder")
    if re.search(r"[\"\\:]", folder) or not folder.isprintable():
        raise UsageError(f"{folder!r} has characters that a unit cannot name: choose another folder")
    quoted = '"-' + folder.replace("%", "%%") + '"'
    lines = [f"# opened by `sttd install --drop-in folder {folder}`", "[Service]"]
    if any(_is_below(folder, home) for home in HOMES):
        lines += ["ProtectHome=tmpfs", f"BindPaths={quoted}"]
    else:
        lines += [f"ReadWritePaths={quoted}"]
    lines += ["# nothing that the service could write can be run", f"NoExecPaths={quoted}"]
    return Item(SYSTEM / f"{unit}.d" / name_of(folder), "\n".join(lines) + "\n")


def name_of(folder: str) -> str:
    """A file name that shows the folder's path, and is unique to it."""
    words = re.sub(r"[^A-Za-z0-9_.]+", "-", folder).strip("-")[:100]
    return f"{PREFIX}{words}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]}.conf"


def left(top: Path) -> list[Item]:
    """The drop-ins for folders that are installed below `top`, for all units."""
    found = sorted((top / SYSTEM.relative_to("/")).glob(f"sttd*.service.d/{PREFIX}*.conf"))
    return [Item(SYSTEM / path.parent.name / path.name, "") for path in found]


def _is_below(folder: str, top: str) -> bool:
    return folder == top or folder.startswith(f"{top}/")
