"""Files a source away once its results are in place: it is archived, kept, deleted, or put back. Each step may be killed.

Every step uses the handle of the source's folder (sttd.fs.folder): if somebody replaces that folder, or the file, by a link,
sttd still touches nothing else.
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
    location: str | None  # where the source is now; None: where it was, "": it is gone
    changed: bool = False  # it was another version than the transcribed one, and was put back
    kept_because: str | None = None  # why it could not be moved, with the remedy


class _Hold(enum.Enum):
    """What `_take_hold` found."""

    HELD = "it has its private name, and is what was transcribed"
    CHANGED = "it is another version, and has its own name"
    GONE = "there is none"


def keep(plan: Plan, places: Places) -> Filed:
    """Carry out a plan: give the results their names, check that they are there, then file the source away.

    Raises:
        Unkept: somebody removed a staged result, or the plan is forged. The source has its own name again.
        Absent: a folder is not mounted.
        DiskTrouble, FileTrouble: the results are to lie beside their recording, and cannot be put there.
        OSError: `sttd.fs.blame` decides whose fault it is. Blame.NAME: no name for a result fits, or the source is not found.
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
    """Leave the source where it was dropped, as a file system refuses its name. Its results are in place.

    Raises:
        OSError: `error`, if the source is not there: an earlier try, which was killed, may have filed it away.
    """
    if not plan.takes_source:
        return Filed(outputs, plan.location)
    with contextlib.suppress(FileNotFoundError):  # even its folder is gone
        if give_back(plan, places):
            return Filed(outputs, plan.location, kept_because=f"it cannot be filed away: {error}: rename or move it")
    raise error


def file_source(plan: Plan, places: Places, outputs: tuple[str, ...]) -> Filed:
    """File the source away. If it is no longer the version that was transcribed, it is put back where it was.

    It is first renamed to a private name, so that nobody writes to it by its name while it is compared. Size and modification
    time are compared, as everywhere. They do not show a second write within the same tick of the file system's clock: so if
    the recording was that young when it was hashed, the hash is compared too.
    """
    try:
        folder = plan.source_folder(places)
    except FileNotFoundError:
        return Filed(outputs, _filed_before(plan, places) if plan.takes_source else plan.location)
    with folder, contextlib.ExitStack() as stack:
        if not plan.takes_source:
            if folder.stat(plan.private_name) is not None:  # it was to be moved, until the configuration lost its inbox
                _put_back(folder, plan.private_name, plan.source_name)
            _secure(folder, plan.source_name)
            return Filed(outputs, plan.location)
        target = stack.enter_context(_archive_folder(plan, places)) if plan.fate == "archive" else None
        again = folder.stat(plan.private_name) is not None  # an earlier try has renamed it
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
        if hold is _Hold.CHANGED:  # or the source was filed away, and another file has come since
            before = _filed_before(plan, places)
            return Filed(outputs, before, changed=not before)
        with _named(target):
            return _file_away(plan, folder, target, outputs, again=again)


def _archive_folder(plan: Plan, places: Places) -> Folder:
    with places.open("archive") as archive:
        return folder_below(archive, names.split(plan.name)[0])


@contextlib.contextmanager
def _named(target: Folder | None) -> Iterator[None]:
    """Adds the folder's path to an error of the machine that has none, such as a write to a full disk through a handle."""
    try:
        yield
    except OSError as error:
        if target is None or error.filename is not None or blame(error) is not Blame.MACHINE:
            raise
        raise OSError(error.errno, error.strerror, target.path) from error


def _take_hold(plan: Plan, folder: Folder) -> _Hold:
    """Give the source its private name, if it is still what was transcribed.

    A file that has the private name already is the source only if it is the transcribed version, and the file under the
    source's own name is not. Else it gets its own name back.

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
        # the private name is free. Only somebody who read the ledger could take it in this moment: that file is replaced
        folder.rename(name, folder, private)
        folder.sync()
        if not _is_same(plan, folder, private):
            _put_back(folder, private, name)
            return _Hold.CHANGED
    return _Hold.HELD


def has_successor(plan: Plan, places: Places) -> bool:
    """Whether the source has its private name, and a newer file its own: it could only be given back under a third name.

    Raises:
        FileNotFoundError: the folder that it lay in is gone.
    """
    with plan.source_folder(places) as folder:
        names_taken = all(folder.stat(name) is not None for name in (plan.private_name, plan.source_name))
        return names_taken and not _is_same(plan, folder, plan.source_name)


def give_back(plan: Plan, places: Places) -> bool:
    """Give the source its own name again, if it has its private one. Returns whether it is there, as it was transcribed.

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
    """Whether an earlier try, which was killed, has put the source into the archive. The private name that it left is removed."""
    with _archive_folder(plan, places) as target:
        found = find(target, names.split(plan.name)[1], plan.size, plan.mtime_ns)
        if not any(moves.is_moved(folder, plan.private_name, target, new) for new in found):
            return False
        moves.drop_first_name(folder, plan.private_name, target)
        return True


def _file_away(plan: Plan, folder: Folder, target: Folder | None, outputs: tuple[str, ...], *, again: bool) -> Filed:
    """Move a source that has its private name into `target`; None: delete it. `again`: it may be there already."""
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
            place(target, new, folder, name)  # somebody replaced the source by another file at the last moment
            return Filed(outputs, "", changed=True)
        location = target.path_of(new)
    if plan.location is not None:  # it lay in failed/, with the record of its failure beside it
        folder.discard(names.fit(name, names.RECORD))
    return Filed(outputs, location)


def _secure(folder: Folder, name: str) -> None:
    """Fsync a source that stays where it is. One that is gone, or that we may not read any more, is ignored."""
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
    """Where an earlier try, which was killed after its last step, has put the source; "": a person removed the source.

    Raises:
        FileNotFoundError: it cannot be found out, as the inbox is away.
    """
    archived = _archived(plan, places) if plan.fate == "archive" else None
    if archived is not None:
        return archived
    if plan.location is None:
        places.require_inbox(plan.name)
    return ""


def _moved_to(plan: Plan, places: Places) -> str | None:
    """Where the source of a plan that cannot be carried out was moved; None: it is under its own name (again), or gone."""
    with contextlib.suppress(FileNotFoundError):
        if not plan.takes_source or give_back(plan, places):
            return None
    return _archived(plan, places) if plan.fate == "archive" else None


def _archived(plan: Plan, places: Places) -> str | None:
    """Where an earlier try has put the source in the archive, found by name, size and modification time."""
    with _archive_folder(plan, places) as target:
        found = next(find(target, names.split(plan.name)[1], plan.size, plan.mtime_ns), None)
        return None if found is None else target.path_of(found)


def put_back(source: str, places: Places) -> str | None:
    """Give a source with a private name that belongs to no plan its own name again; returns its path, None: it is gone.

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
    """Give the source its old name, or if a newer file has that, the next free one; returns the name."""
    return place(folder, private, folder, name)
