"""Which file system a folder lies on: SQLite and flock keep their promises on a local one only.

See https://www.sqlite.org/wal.html ("WAL does not work over a network filesystem") and /proc/self/mountinfo in proc(5).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
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

MOUNTINFO = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system that is mounted."""

    point: str
    device: str  # `major:minor`, the same for all mounts of one file system
    kind: str  # its type


def network_file_system(path: Path, mountinfo: Path = MOUNTINFO) -> str | None:
    """The type of the network file system that `path` lies on, or None where it lies on a local one, or it is not known."""
    kind = file_system(path, mountinfo)
    return kind if kind in NETWORK else None


def file_system(path: Path, mountinfo: Path = MOUNTINFO) -> str | None:
    """The type of the file system that holds `path`, which need not exist yet: that of the longest mount point above it.

    None where mountinfo cannot be read (no /proc).
    """
    found = holding(os.path.realpath(path), read(mountinfo))
    return None if found is None else found.kind


def read(mountinfo: Path = MOUNTINFO) -> tuple[Mount, ...]:
    """All mounts of this process; none where mountinfo cannot be read. No file system is touched for it."""
    try:
        return listed(os.fsdecode(mountinfo.read_bytes()))
    except OSError:
        return ()


def listed(table: str) -> tuple[Mount, ...]:
    """The mounts in `table`, which has the format of mountinfo."""
    found = []
    for line in table.split("\n"):
        left, separator, right = line.partition(" - ")
        fields = left.split(" ")
        if separator and len(fields) >= 5:
            found.append(Mount(unescape(fields[4]), fields[2], right.split(" ", 1)[0]))
    return tuple(found)


def holding(path: str, mounts: Iterable[Mount]) -> Mount | None:
    """The mount that an absolute `path` without links lies on."""
    best: Mount | None = None
    for mount in mounts:
        # of several mounts on one point the last hides the others
        if is_below(path, mount.point) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def is_below(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies in it, going by the names."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def unescape(field: str) -> str:
    """Decode a field of mountinfo, where space, tab, new line and backslash are octal escapes."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
