"""Replaces earlier results of the same recording by new ones, if that is wanted and nobody has changed them.

An earlier result is first renamed to a private name and compared again: if a person changed it at that moment, it is put
back. It is removed when all new results are in place. Each step may be killed, and is then repeated.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from sttd.fs import moves
from sttd.fs.digest import digest_of
from sttd.fs.folder import Folder
from sttd.job import Job
from sttd.outbox.place import place
from sttd.outbox.plan import Plan


def left_of(job: Job, plan: Plan, outputs: Iterable[str]) -> dict[str, str]:
    """The results of an earlier job that a plan did not replace, with their hashes. `outputs`: paths of the new results."""
    folders = {os.path.dirname(path) for path in outputs}
    gone = {os.path.join(folder, name) for folder in folders for name in plan.replaces}
    return {path: sha256 for path, sha256 in zip(job.outputs, job.hashes, strict=False) if path not in gone}


def unchanged(folder: Folder, name: str, sha256: str) -> bool:
    """Whether a result is there, and as it was written."""
    if folder.file(name) is None:
        return False
    handle = folder.open_file(name)
    try:
        return digest_of(handle) == sha256
    finally:
        os.close(handle)


def set_aside(plan: Plan, folder: Folder, name: str) -> bool:
    """Free the name of an earlier result by renaming that. False: the file is not that result, or was changed."""
    sha256, private = plan.replaces.get(name), plan.aside(name)
    if sha256 is None or folder.stat(private) is not None or not unchanged(folder, name, sha256):
        return False
    moves.rename_new(folder, name, folder, private)
    folder.sync()
    if unchanged(folder, private, sha256):
        return True
    place(folder, private, folder, name)
    return False


def remove(plan: Plan, folder: Folder, placed: set[str]) -> None:
    """Remove the earlier results, once the new ones are in place; also those with other names (another language)."""
    for name, sha256 in plan.replaces.items():
        if name not in placed:
            set_aside(plan, folder, name)
        private = plan.aside(name)
        if unchanged(folder, private, sha256):
            folder.discard(private)
        elif folder.stat(private) is not None:  # changed by a person, and not compared, as an earlier try was killed
            place(folder, private, folder, name)
    if plan.replaces:
        folder.sync()


def has_removed(plan: Plan, folder: Folder, placed: set[str]) -> bool:
    """Whether `remove` has begun: an earlier result is not set aside, and its own name is free or that of a new one."""
    for name in plan.replaces:
        if folder.stat(plan.aside(name)) is None and (name in placed or folder.stat(name) is None):
            return True
    return False


def put_back(plan: Plan, folder: Folder) -> None:
    """Give earlier results that were set aside their names again, if the new ones are not placed after all."""
    for name in plan.replaces:
        private = plan.aside(name)
        if folder.stat(private) is not None:
            place(folder, private, folder, name)
