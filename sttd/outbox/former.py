"""Earlier results of the same recording give way to new ones, where that is wanted and nobody has changed them.

They are renamed to a private name first, and looked at again there: what a person has written in this moment is put back.
They are removed when all of the new ones are in place. Each step can be killed, and is done again.
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
    """Which results of an earlier job are still its own, with their hashes, when a plan was kept and its results are `outputs`."""
    folders = {os.path.dirname(path) for path in outputs}
    gone = {os.path.join(folder, name) for folder in folders for name in plan.replaces}
    return {path: sha256 for path, sha256 in zip(job.outputs, job.hashes, strict=False) if path not in gone}


def unchanged(folder: Folder, name: str, sha256: str) -> bool:
    """Whether a result is there as it was written."""
    if folder.file(name) is None:
        return False
    handle = folder.open_file(name)
    try:
        return digest_of(handle) == sha256
    finally:
        os.close(handle)


def set_aside(plan: Plan, folder: Folder, name: str) -> bool:
    """Free a name that an earlier result has. False: it is somebody else's."""
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
    """Remove the earlier results, also those that had other names (another language): the new ones are in place."""
    for name, sha256 in plan.replaces.items():
        if name not in placed:
            set_aside(plan, folder, name)
        private = plan.aside(name)
        if unchanged(folder, private, sha256):
            folder.discard(private)
        elif folder.stat(private) is not None:  # written to before an earlier try, which was killed, had looked again
            place(folder, private, folder, name)
    if plan.replaces:
        folder.sync()


def has_removed(plan: Plan, folder: Folder, placed: set[str]) -> bool:
    """Whether `remove` has begun: one of them is neither set aside nor under its own name, where a new one may be by now."""
    for name in plan.replaces:
        if folder.stat(plan.aside(name)) is None and (name in placed or folder.stat(name) is None):
            return True
    return False


def put_back(plan: Plan, folder: Folder) -> None:
    """Give what was set aside its name again: nothing came of the new ones."""
    for name in plan.replaces:
        private = plan.aside(name)
        if folder.stat(private) is not None:
            place(folder, private, folder, name)
