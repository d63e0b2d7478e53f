"""Moves a file to the first name that is free and that its new file system accepts. No other file is replaced."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from sttd.fs import copies, moves
from sttd.fs.blame import Blame, blame
from sttd.fs.folder import Folder
from sttd.outbox import names

_Given = TypeVar("_Given")


def folder_below(root: Folder, folders: tuple[str, ...]) -> Folder:
    """A folder below `root`, made if it is missing. If a file or a link has its name, it gets ` (2)`, and so on.

    Raises:
        OSError: it cannot be made.
    """
    room = names.PATH_LIMIT - len(os.fsencode(root.path)) - names.LIMIT - 2
    here = root.below([])
    for name in names.fit_folders(folders, room):
        with here:
            here = _folder_in(here, name)
    return here


def _folder_in(above: Folder, name: str) -> Folder:
    return _named(name, above.make, NotADirectoryError)


def place(source: Folder, name: str, target: Folder, base: str, *, again: bool = False, mode: int | None = None) -> str:
    """Move a file into `target` under the first name made of `base` that is free; returns that name.

    If an earlier try was killed after it had linked or copied the file, only the old name is removed.

    Args:
        source: the folder that the file is in.
        name: of the file.
        target: the folder that it goes to.
        base: the name that is wanted.
        again: there may have been an earlier try. Then all of `target` is searched for its copy, as the first name may have
            become free since.
        mode: for a copy; None: that of the file. A copy is made on another file system, and of another user's file that
            others may write to: only that user could change the file's own mode.
    """
    copied = mode is not None and moves.is_open(source, name)
    new = _moved_before(source, name, target, base, again=again, copied=copied)
    if new is not None:
        moves.drop_first_name(source, name, target)
        target.discard(copies.temporary_of(source.path_of(name)))
        return new
    temporary = _own_copy(source, name, target, mode) if copied else None
    if temporary is None:
        try:
            new = _rename(source, name, target, base)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            temporary = copies.make(source, name, target, mode)
        else:
            target.sync()
            source.sync()
            return new
    return _place_copy(source, name, target, base, temporary)


def _own_copy(source: Folder, name: str, target: Folder, mode: int | None) -> str | None:
    """The name of a copy; None if it cannot be made, for lack of room, say. Then the file itself is moved, with its mode."""
    try:
        return copies.make(source, name, target, mode)
    except OSError:
        return None


def _place_copy(source: Folder, name: str, target: Folder, base: str, temporary: str) -> str:
    try:
        new = _rename(target, temporary, target, base)
    except OSError:
        target.discard(temporary)  # a disk that is full needs its room
        raise
    moves.end_move(source, name, target, new)
    return new


def _rename(source: Folder, name: str, target: Folder, base: str) -> str:
    """Move within one file system. Raises OSError; EXDEV if there are two."""

    def give(new: str) -> str:
        moves.rename_new(source, name, target, new)
        return new

    def free(way: str, start: int) -> int:
        return names.first_free(lambda number: _is_taken(target, way, number), start)

    return _named(base, give, FileExistsError, free)


def _named(
    base: str,
    give: Callable[[str], _Given],
    taken: type[OSError],
    free: Callable[[str, int], int] = lambda _way, start: start,
) -> _Given:
    """Call `give` with one name after the other until one is free and accepted by the file system; returns its result.

    Args:
        base: the name that is wanted.
        give: raises `taken` if the name is taken.
        taken: the type of that error.
        free: for a way to write the name and a number, the next number that seems free.
    """
    refused: OSError | None = None
    for way in names.ways(base):
        number = 1
        while True:
            number = free(way, number)
            try:
                return give(names.numbered(way, number))
            except taken:  # somebody may have taken it in this moment
                number += 1
            except OSError as error:
                if blame(error) is not Blame.NAME:
                    raise
                refused = error
                break
    assert refused is not None
    raise refused


def _is_taken(folder: Folder, way: str, number: int) -> bool:
    try:
        return folder.stat(names.numbered(way, number)) is not None
    except OSError as error:
        if blame(error) is Blame.NAME:  # the same error comes when the name is to be used, and is handled there
            return False
        raise


def _moved_before(source: Folder, name: str, target: Folder, base: str, *, again: bool, copied: bool) -> str | None:
    seen = source.file(name)
    if seen is None:
        return None
    if seen.st_nlink == 1 and source.mount() == target.mount() and not copied:
        return None
    if not again and not any(_is_taken(target, way, 1) for way in names.ways(base)):
        return None  # an earlier try would have taken the first name: a folder of 100,000 files need not be read
    same = find(target, base, seen.st_size, seen.st_mtime_ns)
    return next((new for new in same if moves.is_moved(source, name, target, new, copied=copied)), None)


def find(folder: Folder, base: str, size: int, mtime_ns: int) -> Iterator[str]:
    """The files in a folder that `place` may have put there under `base`, with this size and modification time."""
    patterns = [names.variants(way) for way in names.ways(base)]
    for name in folder.names():
        if any(pattern.fullmatch(name) for pattern in patterns):
            seen = folder.file(name)
            if seen is not None and seen.st_size == size and copies.is_same_time(seen.st_mtime_ns, mtime_ns):
                yield name
