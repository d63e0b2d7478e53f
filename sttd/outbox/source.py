"""The way of a source once its results are in place: archived, kept, deleted, or put back. Each step can be killed, and is done again."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from sttd.fs import moves
from sttd.fs.digest import digest
from sttd.fs.sync import fsync_folder
from sttd.outbox import names
from sttd.outbox.plan import Plan

INBOX_LOCK = ".sttd.lock"  # the inbox's, always there while a daemon runs
RECORD = ".error.json"  # behind the name of a source in failed/


@dataclass(frozen=True, slots=True)
class Filed:
    outputs: tuple[str, ...]
    location: str | None  # where the source is now; None: it stays where it is, "": it is deleted
    changed: bool = False  # it was not what had been transcribed, and was put back


def file_source(plan: Plan, outputs: tuple[str, ...]) -> Filed:
    """File the source away, unless it is no longer what was transcribed: then it is put back where it was.

    It is renamed to a private name first, so that nobody writes to it by its name while it is looked at. What it is
    looked at by is size and time of change, as everywhere. A write in the same tick of the file system's clock as the
    one before would not show in these: where the recording was that young when it was hashed, the hash is compared too.
    """
    private = private_path(plan)
    if not plan.takes_source:
        return Filed(outputs, plan.location)
    if not os.path.lexists(private):
        if not _is_file(plan.source):
            return Filed(outputs, _filed_before(plan))
        if not is_same(plan, plan.source):
            return Filed(outputs, None, changed=True)
        os.rename(plan.source, private)
        fsync_folder(os.path.dirname(plan.source))
    if not is_same(plan, private):
        _put_back(private, plan.source)
        return Filed(outputs, None, changed=True)
    if plan.fate == "delete":
        os.unlink(private)
        fsync_folder(os.path.dirname(private))
        location = ""
    else:
        location = archive(private, plan.archive, plan.name)
    if plan.location is not None:  # it lay in failed/, with the record of its failure beside it
        folder, base = os.path.split(plan.source)
        Path(folder, names.fit(base, RECORD)).unlink(missing_ok=True)
    return Filed(outputs, location)


def archive(path: str, folder: str, name: str) -> str:
    """Move a file into `folder` under the first name that is free; returns its path."""
    moves.make_folder(folder)
    number = 1
    while True:
        target = os.path.join(folder, names.numbered(names.split(name)[1], number))
        try:
            moves.move_new(path, target)
        except FileExistsError:
            number += 1
        else:
            return target


def _is_file(path: str) -> bool:
    return os.path.isfile(path) and not os.path.islink(path)


def _filed_before(plan: Plan) -> str:
    """Where an earlier try, killed after its last step, has put the source; "" where a person took it away."""
    number = 1
    while plan.fate == "archive" and os.path.lexists(
        target := os.path.join(plan.archive, names.numbered(names.split(plan.name)[1], number))
    ):
        seen = os.stat(target)
        if (seen.st_size, seen.st_mtime_ns) == (plan.size, plan.mtime_ns):
            return target
        number += 1
    if plan.inbox:
        require_inbox(plan.inbox)
    return ""


def require_inbox(inbox: str) -> None:
    """Make sure that what is missing there is really gone.

    Raises:
        FileNotFoundError: its lock file is missing too: it is unmounted, or another folder.
    """
    if not os.path.lexists(os.path.join(inbox, INBOX_LOCK)):
        raise FileNotFoundError(errno.ENOENT, "the inbox is away: mount it again", inbox)


def is_same(plan: Plan, path: str) -> bool:
    seen = os.lstat(path)
    if not stat.S_ISREG(seen.st_mode) or (seen.st_size, seen.st_mtime_ns) != (plan.size, plan.mtime_ns):
        return False
    return not plan.young or digest(path) == plan.sha256


def private_path(plan: Plan) -> str:
    folder, name = os.path.split(plan.source)
    return os.path.join(folder, names.private(plan.job, name))


def put_back(path: str) -> str | None:
    """Give a source with a private name its own again, for which no plan does it; None: it is gone by now."""
    found = names.of_private(os.path.basename(path))
    if found is None or not os.path.lexists(path):
        return None
    return _put_back(path, os.path.join(os.path.dirname(path), found[1]))


def _put_back(private: str, source: str) -> str:
    """Its old name, or where a newer file has that by now, the next one that is free; returns its path."""
    try:
        moves.rename_new(private, source)
    except FileExistsError:
        return archive(private, os.path.dirname(source), os.path.basename(source))
    fsync_folder(os.path.dirname(source))
    return source
