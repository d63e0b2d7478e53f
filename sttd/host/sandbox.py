"""What systemd's sandbox hides from the service, or makes read-only: found out from the table of mounts.

See systemd.exec(5), ProtectSystem= and ProtectHome=, and /proc/self/mountinfo in proc(5).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sttd.fs.mounts import MOUNTINFO, unescape

HOMES = ("/home", "/root", "/run/user")
_INACCESSIBLE = "/systemd/inaccessible/"  # systemd hides a folder by mounting something from here over it


def closed(path: str, environ: Mapping[str, str] = os.environ, mountinfo: Path = MOUNTINFO) -> str | None:
    """Why the unit keeps this service from writing at `path`, and the remedy; None: the unit does not, or there is none."""
    if "INVOCATION_ID" not in environ:
        return None
    try:
        table = os.fsdecode(mountinfo.read_bytes())
    except OSError:
        return None
    why = why_closed(os.path.abspath(path), table)  # noqa: PTH100 - nothing is looked at: a share may hang
    if why is None:
        return None
    return f"{why}: `sttd install --drop-in folder {path}` opens it, and then systemctl restart"


def why_closed(path: str, table: str) -> str | None:
    """Which setting of the unit closes an absolute path; None: none does. `table` has the format of mountinfo."""
    best, why = "", None
    for line in table.split("\n"):
        left, separator, right = line.partition(" - ")
        fields, source = left.split(" "), right.split(" ")
        if not separator or len(fields) < 6 or len(source) < 3:
            continue
        point = unescape(fields[4])
        if not (path == point or path.startswith(point.rstrip("/") + "/")) or len(point) < len(best):
            continue
        best, why = point, None
        if _INACCESSIBLE in unescape(fields[3]) and point in HOMES:
            why = "the unit hides home folders from the service (ProtectHome=)"
        elif "ro" in fields[5].split(",") and "rw" in source[2].split(","):
            # the file system itself can be written: only this mount of it, the service's own, cannot
            why = "the unit lets the service write only below /srv/sttd and in its state folder (ProtectSystem=strict)"
    return why
