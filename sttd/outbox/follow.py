"""When a recording is renamed in the inbox, renames its results too, so that media servers find them under the new name.

Only results that nobody has changed since sttd wrote them are renamed, and only to names that are free. Each step may be
killed, and is then repeated: each file is always complete, under the old name or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sttd.errors import SourceChanged
from sttd.fs import moves
from sttd.fs.blame import Blame, blame
from sttd.fs.folder import Folder
from sttd.job import Identity, Job
from sttd.outbox import names
from sttd.outbox.disks import near
from sttd.outbox.places import Places
from sttd.outbox.plan import BESIDE, folder_of, source_path


@dataclass(frozen=True, slots=True)
class Followed:
    outputs: dict[str, str]  # the results under the new name, by path, with their hashes
    left: tuple[str, ...]  # paths of those that stay where they were


def beside(source: str, results: Mapping[str, str], places: Places) -> dict[str, str]:
    """The `results` that lie beside a source in the inbox and begin with its stem: names with their hashes."""
    folder, _, name = places.path_of(source).rpartition("/")
    stem = names.stem(name)
    found = {}
    for path, sha256 in results.items():
        above, _, base = path.rpartition("/")
        if above == folder and base.startswith(stem):
            found[base] = sha256
    return found


def follow(job: Job, former: str, results: Mapping[str, str], places: Places) -> Followed:
    """Rename the results of a recording after its new name.

    Args:
        job: the job of the recording under its new name.
        former: the recording's former path below the inbox.
        results: paths and hashes of its results.
        places: the folders.

    Raises:
        SourceChanged: another recording has the new name by now.
        FileNotFoundError: the recording is gone; the error has its path. Or the inbox is away.
        DiskTrouble, FileTrouble: the results cannot be renamed.
        OSError: the machine's fault.
    """
    wanted = beside(former, results, places)
    old_stem, new_stem = (names.stem(path.rpartition("/")[2]) for path in (former, job.source))
    here = near(BESIDE, job.source, job.location, places)
    with here, _folder(job, places) as new, contextlib.ExitStack() as stack:
        old = _former_folder(former, places)
        if old is not None:
            stack.enter_context(old)
        outputs, left = {}, []
        for base, sha256 in wanted.items():
            target = new_stem + base[len(old_stem) :]
            if old is not None and not _rename(old, base, sha256, new, target):
                left.append(old.path_of(base))
            if _is_ours(new, target, sha256):
                outputs[new.path_of(target)] = sha256
        new.sync()
        if old is not None:
            old.sync()
        return Followed(outputs, tuple(left))


def names_beside(job: Job, places: Places) -> list[str]:
    """The names in the folder of a recording, without empty files called after it; none if the folder is gone.

    Raises:
        OSError: it cannot be read.
    """
    try:
        folder = folder_of(job.source, job.location, places)
    except FileNotFoundError:
        return []
    with folder:
        stem = names.stem(os.path.basename(source_path(job, places)))
        return [name for name in folder.names() if not name.startswith(stem) or _has_content(folder, name)]


def _has_content(folder: Folder, name: str) -> bool:
    seen = folder.stat(name)
    return seen is not None and seen.st_size > 0


def _folder(job: Job, places: Places) -> Folder:
    """The folder of the recording, after a check that the recording is there and unchanged."""
    path = source_path(job, places)
    name = os.path.basename(path)
    try:
        folder = folder_of(job.source, job.location, places)
    except FileNotFoundError:
        places.require_inbox(job.source)
        raise FileNotFoundError(errno.ENOENT, "the recording is not there any more", path) from None
    seen = folder.file(name)
    if seen is not None and Identity.of(seen) == job.identity:
        return folder
    folder.close()
    if seen is not None:
        raise SourceChanged("the file has changed: it is looked at as it is now")
    places.require_inbox(job.source)
    raise FileNotFoundError(errno.ENOENT, "the recording is not there any more", path)


def _former_folder(former: str, places: Places) -> Folder | None:
    with contextlib.suppress(FileNotFoundError):
        return places.folder_of(former)
    return None


def _rename(old: Folder, base: str, sha256: str, new: Folder, target: str) -> bool:
    """Rename one result, unless somebody has changed it or has its new name. False: it stays where it was."""
    if old.file(base) is None:
        return True  # somebody moved it with the recording, or an earlier try has renamed it
    if new.stat(target) is not None:
        if not moves.is_moved(old, base, new, target):
            return False
        moves.drop_first_name(old, base, new)
        return True
    if moves.sum_of(old, base) != sha256:
        return False
    try:
        moves.move_new(old, base, new, target)
    except (PermissionError, FileExistsError):
        return False
    except OSError as error:
        if blame(error) is not Blame.NAME:
            raise
        return False
    return True


def _is_ours(folder: Folder, name: str, sha256: str) -> bool:
    """Whether a file is as sttd wrote it: nobody has replaced or changed it."""
    is_there = len(os.fsencode(name)) <= names.LIMIT and folder.file(name) is not None
    return is_there and moves.sum_of(folder, name) == sha256


def results_of(jobs: Iterator[Job] | list[Job]) -> dict[str, str]:
    """The results of these jobs: paths with their hashes. If several jobs wrote to one path, the last one counts."""
    return {path: sha256 for job in jobs for path, sha256 in zip(job.outputs, job.hashes, strict=False)}
