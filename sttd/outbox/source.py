"""The way of a source once its results are in place: archived, kept, deleted, or put back. Each step can be killed.

Everything is done by the handle of the folder that the source lies in (sttd.fs.folder): nobody who swaps that folder, or
the file, for a link makes sttd touch anything else.
"""

from __future__ import annotations

import contextlib
import enum
import os
from collections.abc import Iterator
from dataclasses import dataclass

from sttd.fs import copies, moves
from sttd.fs.blame import Blame, Unreadable, blame
from sttd.fs.digest import digest_of
from sttd.fs.folder import Folder, split
from sttd.outbox import names
from sttd.outbox.disks import near
from sttd.outbox.place import find, folder_below, place
from sttd.outbox.places import Places
from sttd.outbox.plan import Plan
from sttd.outbox.publish import Unkept, publish
from sttd.outbox.rights import why_unmovable


@dataclass(frozen=True, slots=True)
class Filed:
    outputs: tuple[str, ...]
    location: str | None  # where the source is now; None: it stays where it is, "": it is nowhere any more
    changed: bool = False  # it was not what had been transcribed, and was put back
    kept_because: str | None = None  # why it stays though it was to be moved, with the remedy


class _Hold(enum.Enum):
    """What became of taking hold of a source."""

    HELD = "it has its private name, and is what was transcribed"
    CHANGED = "it is another version, and has its own name"
    GONE = "there is none"


def keep(plan: Plan, places: Places) -> Filed:
    """Keep what a plan promised: the results get their names and are seen there, then the source is filed away.

    Raises:
        Unkept: somebody took a staged result away, or the plan is a forged one. The source has its own name again.
        Absent: a folder is not mounted.
        DiskTrouble, FileTrouble: the results are to lie beside their recording, and cannot be put there.
        OSError: `sttd.fs.blame` tells whose fault it is. A name is refused for the results, or nobody knows where the source is.
    """
    if plan.takes_source and plan.location is not None and split(os.fspath(places.paths.failed), plan.location) is None:
        raise Unkept("its source is not sttd's to move: its results are written again")
    try:
        outputs = publish(plan, places)
    except Unkept as error:
        error.moved_to = _moved_to(plan, places)
        raise
    with near(plan.place, plan.name, plan.location, places):
        try:
            return file_source(plan, places, outputs)
        except OSError as error:
            if blame(error) is not Blame.NAME:
                raise
            return _left_there(plan, places, outputs, error)


def _left_there(plan: Plan, places: Places, outputs: tuple[str, ...], error: OSError) -> Filed:
    """A file system refuses to file the source away. Its results are in place, so that it stays where it was dropped.

    Raises:
        OSError: `error`, where an earlier try, which was killed, may have filed it away: nobody knows where it is.
    """
    if not plan.takes_source:
        return Filed(outputs, plan.location)
    with contextlib.suppress(FileNotFoundError):  # even its folder is gone
        if give_back(plan, places):
            return Filed(outputs, plan.location, kept_because=f"it cannot be filed away: {error}: rename or move it")
    raise error


def file_source(plan: Plan, places: Places, outputs: tuple[str, ...]) -> Filed:
    """File the source away, unless it is no longer what was transcribed: then it is put back where it was.

    It is renamed to a private name first, so that nobody writes to it by its name while it is looked at. What it is
    looked at by is size and time of change, as everywhere. A write in the same tick of the file system's clock as the
    one before would not show in these: where the recording was that young when it was hashed, the hash is compared too.
    """
    try:
        folder = plan.source_folder(places)
    except FileNotFoundError:
        return Filed(outputs, _filed_before(plan, places) if plan.takes_source else plan.location)
    with folder, contextlib.ExitStack() as stack:
        if not plan.takes_source:
            if folder.stat(plan.private_name) is not None:  # it was to be moved, before its inbox was taken out
                _put_back(folder, plan.private_name, plan.source_name)
            _secure(folder, plan.source_name)
            return Filed(outputs, plan.location)
        target = stack.enter_context(_archive_folder(plan, places)) if plan.fate == "archive" else None
        again = folder.stat(plan.private_name) is not None  # an earlier try gave it that
        try:
            hold = _take_hold(plan, folder)
        except PermissionError:
            reason = why_unmovable(folder, plan.source_name)
            if reason is None:
                raise
            _secure(folder, plan.source_name)
            return Filed(outputs, plan.location, kept_because=reason)
        except Unreadable as error:
            if folder.stat(plan.private_name) is not None:
                _put_back(folder, plan.private_name, plan.source_name)
            return Filed(outputs, plan.location, kept_because=error.strerror)
        if hold is _Hold.GONE:
            return Filed(outputs, _filed_before(plan, places))
        if hold is _Hold.CHANGED:  # or it was filed away, and another one has come since
            before = _filed_before(plan, places)
            return Filed(outputs, before, changed=not before)
        with _named(target):
            return _file_away(plan, folder, target, outputs, again=again)


def _archive_folder(plan: Plan, places: Places) -> Folder:
    with places.open("archive") as archive:
        return folder_below(archive, names.split(plan.name)[0])


@contextlib.contextmanager
def _named(target: Folder | None) -> Iterator[None]:
    """An error of what is done by a handle, a write to a disk that is full, knows no path: it gets that of the folder."""
    try:
        yield
    except OSError as error:
        if target is None or error.filename is not None or blame(error) is not Blame.MACHINE:
            raise
        raise OSError(error.errno, error.strerror, target.path) from error


def _take_hold(plan: Plan, folder: Folder) -> _Hold:
    """Give the source its private name.

    What lies there already is ours only if it is what was transcribed, and nothing like it lies under the source's own name.

    Raises:
        PermissionError: it may not be renamed.
    """
    private, name = plan.private_name, plan.source_name
    if folder.stat(private) is not None and (not _is_same(plan, folder, private) or _is_same(plan, folder, name)):
        _put_back(folder, private, name)
    if folder.stat(private) is None:
        if folder.file(name) is None:
            return _Hold.GONE
        if not _is_same(plan, folder, name):
            return _Hold.CHANGED
        # nobody has the private name; what comes there in this moment is of somebody who read the ledger, and is replaced
        folder.rename(name, folder, private)
        folder.sync()
        if not _is_same(plan, folder, private):
            _put_back(folder, private, name)
            return _Hold.CHANGED
    return _Hold.HELD


def has_successor(plan: Plan, places: Places) -> bool:
    """Whether the source has its private name, and a newer file its own: it could be given back under a third one alone.

    Raises:
        FileNotFoundError: the folder that it lay in is gone.
    """
    with plan.source_folder(places) as folder:
        names_taken = all(folder.stat(name) is not None for name in (plan.private_name, plan.source_name))
        return names_taken and not _is_same(plan, folder, plan.source_name)


def give_back(plan: Plan, places: Places) -> bool:
    """Give the source its own name again, as far as it has lost it; whether it is there, as it was transcribed.

    Raises:
        FileNotFoundError: the folder that it lay in is gone.
    """
    with plan.source_folder(places) as folder:
        if folder.stat(plan.private_name) is not None:
            if plan.fate == "archive" and _has_arrived(plan, folder, places):
                return False
            _put_back(folder, plan.private_name, plan.source_name)
        return _is_same(plan, folder, plan.source_name)


def _has_arrived(plan: Plan, folder: Folder, places: Places) -> bool:
    """Whether a try was killed when it had put the source into the archive, before the private name was gone: it goes now."""
    with _archive_folder(plan, places) as target:
        found = find(target, names.split(plan.name)[1], plan.size, plan.mtime_ns)
        copied = moves.is_open(folder, plan.private_name)
        if not any(moves.is_moved(folder, plan.private_name, target, new, copied=copied) for new in found):
            return False
        moves.drop_first_name(folder, plan.private_name, target)
        return True


def _file_away(plan: Plan, folder: Folder, target: Folder | None, outputs: tuple[str, ...], *, again: bool) -> Filed:
    """A source that has its private name goes into `target`; None: it is deleted. `again`: it may be there already."""
    private, name = plan.private_name, plan.source_name
    location = ""
    if target is None:
        folder.unlink(private)
        folder.sync()
    else:
        moves.secure(folder, private, moves.RESULT_MODE)
        try:
            new = place(folder, private, target, names.split(plan.name)[1], again=again, mode=moves.RESULT_MODE)
        except Unreadable as error:
            _put_back(folder, private, name)
            return Filed(outputs, plan.location, kept_because=error.strerror)
        except OSError as error:
            if blame(error) is not Blame.NAME:
                raise
            _put_back(folder, private, name)
            return Filed(outputs, plan.location, kept_because=f"no name for it is accepted in {target.path}: rename it")
        seen = target.file(new)
        if seen is None or seen.st_size != plan.size or not copies.is_same_time(seen.st_mtime_ns, plan.mtime_ns):
            place(target, new, folder, name)  # somebody put another file in its place in the last moment
            return Filed(outputs, "", changed=True)
        location = target.path_of(new)
    if plan.location is not None:  # it lay in failed/, with the record of its failure beside it
        folder.discard(names.fit(name, names.RECORD))
    return Filed(outputs, location)


def _secure(folder: Folder, name: str) -> None:
    """A source that stays where it is: what is not there, or may not be read any more, is not ours to care for."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        moves.secure(folder, name)


def _is_same(plan: Plan, folder: Folder, name: str) -> bool:
    seen = folder.file(name)
    if seen is None or (seen.st_size, seen.st_mtime_ns) != (plan.size, plan.mtime_ns):
        return False
    if not plan.young:
        return True
    try:
        handle = folder.open_file(name)
    except FileNotFoundError:
        return False
    try:
        return digest_of(handle) == plan.sha256
    finally:
        os.close(handle)


def _filed_before(plan: Plan, places: Places) -> str:
    """Where an earlier try, killed after its last step, has put the source; "" where a person took it away.

    Raises:
        FileNotFoundError: the inbox is away, so that nobody knows.
    """
    archived = _archived(plan, places) if plan.fate == "archive" else None
    if archived is not None:
        return archived
    if plan.location is None:
        places.require_inbox(plan.name)
    return ""


def _moved_to(plan: Plan, places: Places) -> str | None:
    """Where the source of a plan that cannot be kept was moved; None: it is under its own name (again), or gone."""
    with contextlib.suppress(FileNotFoundError):
        if not plan.takes_source or give_back(plan, places):
            return None
    return _archived(plan, places) if plan.fate == "archive" else None


def _archived(plan: Plan, places: Places) -> str | None:
    """Where an earlier try has put the source, by its name, size and time of change."""
    with _archive_folder(plan, places) as target:
        found = next(find(target, names.split(plan.name)[1], plan.size, plan.mtime_ns), None)
        return None if found is None else target.path_of(found)


def put_back(source: str, places: Places) -> str | None:
    """Give a source with a private name its own again, for which no plan does it; returns its path, None: it is gone.

    Args:
        source: as `Job.source`, with the private name.
        places: the folders.
    """
    private = os.path.basename(source)
    found = names.of_private(private)
    if found is None:
        return None
    with contextlib.suppress(FileNotFoundError), places.folder_of(source) as folder:
        if folder.stat(private) is not None:
            return folder.path_of(_put_back(folder, private, found[1]))
    return None


def _put_back(folder: Folder, private: str, name: str) -> str:
    """Its old name, or where a newer file has that by now, the next one that is free; returns its name."""
    return place(folder, private, folder, name)
