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

    A second name, or a copy on another file system, that an earlier try made is the move: only the first name is left to go.

    Args:
        source: the folder that the file is in.
        name: of the file.
        target: the folder that it goes to.
        base: the name that is wanted.
        again: there may have been an earlier try, so that the whole folder is worth reading: the first name may be free
            since, with a copy of that try under a later one.
        mode: of a copy on another file system; None: that of the file.
    """
    new = _moved_before(source, name, target, base, again=again)
    if new is not None:
        moves.drop_first_name(source, name, target)
        target.discard(copies.temporary_of(source.path_of(name)))
        return new
    try:
        new = _rename(source, name, target, base)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return _copy(source, name, target, base, mode)
    target.sync()
    source.sync()
    return new


def _copy(source: Folder, name: str, target: Folder, base: str, mode: int | None) -> str:
    """To another file system."""
    temporary = copies.make(source, name, target, mode)
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


def _moved_before(source: Folder, name: str, target: Folder, base: str, *, again: bool) -> str | None:
    seen = source.file(name)
    if seen is None:
        return None
    if seen.st_nlink == 1 and source.mount() == target.mount():
        return None
    if not again and not any(_is_taken(target, way, 1) for way in names.ways(base)):
        return None  # an earlier try would have taken the first name: a folder of 100,000 files need not be read
    same = find(target, base, seen.st_size, seen.st_mtime_ns)
    return next((new for new in same if moves.is_moved(source, name, target, new)), None)


def find(folder: Folder, base: str, size: int, mtime_ns: int) -> Iterator[str]:
    """The files in a folder that `place` may have put there under `base`, with this size and modification time."""
    patterns = [names.variants(way) for way in names.ways(base)]
    for name in folder.names():
        if any(pattern.fullmatch(name) for pattern in patterns):
            seen = folder.file(name)
            if seen is not None and seen.st_size == size and copies.is_same_time(seen.st_mtime_ns, mtime_ns):
                yield name
