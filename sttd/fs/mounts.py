"""Which file system a folder lies on: SQLite and flock keep their promises on a local one only.

See https://www.sqlite.org/wal.html ("WAL does not work over a network filesystem") and /proc/self/mountinfo in proc(5).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

# types in /proc/filesystems and mount(8); fuse ones as `fuse.<program>`. Folders that a virtual machine is lent by its
# host (9p, vboxsf, vmhgfs) are as bad: no shared memory mapping.
NETWORK = frozenset(
    """
    nfs nfs4 cifs smb3 smbfs afs ceph glusterfs lustre beegfs gpfs pvfs2 coda ncpfs davfs 9p vboxsf prl_fs
    fuse.sshfs fuse.rclone fuse.s3fs fuse.gcsfuse fuse.mount-s3 fuse.goofys fuse.juicefs fuse.glusterfs fuse.ceph
    fuse.ceph-fuse fuse.curlftpfs fuse.smbnetfs fuse.mfs fuse.gvfsd-fuse fuse.vmhgfs-fuse
    """.split()
)

_MOUNTINFO = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")


def network_file_system(path: Path, mountinfo: Path = _MOUNTINFO) -> str | None:
    """The type of the network file system that `path` lies on, or None where it lies on a local one, or it is not known."""
    kind = file_system(path, mountinfo)
    return kind if kind in NETWORK else None


def file_system(path: Path, mountinfo: Path = _MOUNTINFO) -> str | None:
    """The type of the file system that holds `path`, which need not exist yet: that of the longest mount point above it.

    None where mountinfo cannot be read (no /proc).
    """
    try:
        table = mountinfo.read_bytes()
    except OSError:
        return None
    return type_of(os.path.realpath(path), os.fsdecode(table))


def type_of(path: str, table: str) -> str | None:
    """The type that `table`, in the format of mountinfo, gives for an absolute `path` without links."""
    best, kind = "", None
    for line in table.split("\n"):
        left, separator, right = line.partition(" - ")
        fields = left.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = unescape(fields[4])
        # of several mounts on one point the last hides the others
        if _holds(point, path) and len(point) >= len(best):
            best, kind = point, right.split(" ", 1)[0]
    return kind


def _holds(point: str, path: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def unescape(field: str) -> str:
    """Undo mountinfo, which writes space, tab, new line and backslash as octal numbers."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
