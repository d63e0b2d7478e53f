"""If root pulls models for the service, it becomes the owner of the cache, so that the service can read them."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from pathlib import Path

from sttd.errors import NotConfigured

_READ_AND_LIST, _WRITE = 0o050, 0o022  # permissions of the group; of the group and of others


def become_owner(folder: Path, needed: Iterable[str]) -> None:
    """If we are root, become the owner of `folder`, or of the nearest folder above it that exists. Others stay who they are.

    It would not be safe for root to make files and give them away: that owner could put links into the folder meanwhile. Made
    as that owner, they can do no harm. In any case files that are made from now on can be read by the group, and written by
    their owner alone.

    Args:
        folder: where files will be made.
        needed: files of this Python that the owner must be able to read.

    Raises:
        NotConfigured: the owner cannot read this Python.
    """
    umask = os.umask(0o077)
    os.umask(umask & ~_READ_AND_LIST | _WRITE)
    if os.geteuid() != 0:
        return
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    owner = existing.stat()
    if owner.st_uid == 0:
        return
    try:
        name = pwd.getpwuid(owner.st_uid).pw_name
        os.initgroups(name, owner.st_gid)
    except KeyError:
        name = str(owner.st_uid)
        os.setgroups([])
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)
    for file in needed:
        if not os.access(file, os.R_OK):
            raise NotConfigured(
                f"{existing} belongs to user {name}, who cannot read {file}: install sttd where everybody can, as in /opt"
            )
