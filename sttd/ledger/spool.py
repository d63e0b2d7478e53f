"""Requests as files, in a folder where each member of the group may put one and nobody can list them.

    state/requests/           sticky; the group may write and enter it, not list it
        .NAME                 being written
        NAME                  a request: it appears whole, by a rename
        TIME-RANDOM           what a NAME looks like: in order of time, and not to be guessed

The daemon trusts nothing that it finds there. It looks at a bounded number of entries at a time, opens regular files
alone and never waits for one, and reads no more than `LIMIT` bytes of each. A file that is no request is removed from the
folder. In each round of the daemon's loop, a bounded number of such files are copied first (see `refused`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import stat
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sttd.errors import UsageError
from sttd.fs.regular import NotRegular, open_regular
from sttd.ledger import refused
from sttd.ledger.names import REFUSED
from sttd.ledger.request import Request, from_bytes, to_bytes
from sttd.text import printable

LIMIT = 64 * 2**10  # bytes of a request
LOOKED_AT = 500  # entries of the folder at once
ABANDONED = 3600.0  # seconds after which a file that is being written is somebody's litter
SET_ASIDE = 10  # files that are no requests and are copied, in one round; in a flood the others are only removed
LITTER_INTERVAL = 600.0  # seconds from one look for litter to the next
MODE = 0o3730
_NAME = re.compile(r"\d{20}-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Left:
    """A request as it was found."""

    request: Request
    owner: int  # user id of who left it


class Unfit(UsageError):
    """What was found is no request; the message says why."""


def make(folder: Path) -> None:
    """Create the folder where it is missing, and see to its mode and owner, as far as this user may.

    Raises:
        OSError: it cannot be created, or something else has its name.
    """
    above = folder.parent.stat()
    with contextlib.suppress(FileExistsError):
        folder.mkdir(MODE & 0o1777)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        seen = os.fstat(handle)
        if os.geteuid() == 0 and (seen.st_uid, seen.st_gid) != (above.st_uid, above.st_gid):
            os.fchown(handle, above.st_uid, above.st_gid)  # made by root for a daemon that is not
        for mode in (
            MODE,
            MODE & ~stat.S_ISGID,
        ):  # RestrictSUIDSGID= of the unit lets nobody set the bit; it is inherited
            if stat.S_IMODE(os.fstat(handle).st_mode) != MODE:
                with contextlib.suppress(PermissionError):
                    os.fchmod(handle, mode)
                    break
    finally:
        os.close(handle)


def leave(folder: Path, request: Request, name: str = "") -> str:
    """Put a request into the folder; returns its name, by which its answer is found.

    Args:
        folder: the spool.
        request: what is asked.
        name: the name to take; an earlier request under it is replaced.

    Raises:
        OSError: it cannot be written. Nothing is left behind then.
    """
    name = name or f"{time.time_ns():020d}-{secrets.token_hex(8)}"
    temporary, path = folder / f".{name}", folder / name
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o644)  # whatever the umask: the daemon must read it, and only the group comes so far
            file.write(to_bytes(request))
            file.flush()
            os.fsync(handle)
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return name


class Spool:
    """The daemon's side. Every method may raise OSError: the machine's fault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: deque[str] = deque()  # names that are yet to be read
        self.under_way: dict[str, Left] = {}  # requests of several steps
        self._listing: Iterator[os.DirEntry[str]] | None = None
        self._look_for_litter, self._next_litter = True, 0.0  # monotonic
        self._aside = folder.with_name(REFUSED)
        self._refused: list[str] = []  # the first refusal of a round, in words
        self._more = 0  # refusals after it
        self._tried = self._kept = 0  # files of this round that were to be set aside, and those that were
        self._folder_named = False

    def names(self) -> list[str] | None:
        """The next requests that wait, in order of time; None at the end of the folder, after which it is read anew.

        It looks at `LOOKED_AT` entries at most, and goes on behind them in the next call. What is no request is removed.
        """
        if self._listing is None:
            self._listing = self._list()
            self._look_for_litter = time.monotonic() >= self._next_litter
            if self._look_for_litter:
                self._next_litter = time.monotonic() + LITTER_INTERVAL
                with contextlib.suppress(OSError):  # the next copy that is made meets the same error, and reports it
                    refused.thin(self._aside, time.time())
        entries = list(itertools.islice(self._listing, LOOKED_AT))
        if not entries:
            self._listing = None
            return None
        return sorted(entry.name for entry in entries if self._is_request(entry))

    def _list(self) -> Iterator[os.DirEntry[str]]:
        try:
            return os.scandir(self.folder)
        except FileNotFoundError:
            make(self.folder)
            return os.scandir(self.folder)

    def _is_request(self, entry: os.DirEntry[str]) -> bool:
        """Whether an entry has a request's name. Others are removed, except those that are being written now."""
        if entry.is_dir(follow_symlinks=False):
            self._remove_folder(entry)
        elif _NAME.fullmatch(entry.name):
            return True
        elif not entry.name.startswith("."):
            self.refuse(entry.name, "no request has such a name")
        elif self._look_for_litter:
            with contextlib.suppress(FileNotFoundError):
                if abs(time.time() - entry.stat(follow_symlinks=False).st_mtime) > ABANDONED:
                    self.remove(entry.name)
        return False

    def _remove_folder(self, entry: os.DirEntry[str]) -> None:
        """Remove an empty folder. Any other is left to its owner: it is ignored, and reported once."""
        try:
            Path(entry.path).rmdir()
        except OSError as error:
            if not self._folder_named:
                self._refused.append(f"{printable(entry.name)} stays, it is a folder ({error.strerror})")
            self._folder_named = True

    def read(self, name: str) -> Left:
        """One request.

        Raises:
            FileNotFoundError: its owner took it back.
            Unfit: it is no request.
        """
        try:
            handle = open_regular(self.folder / name)
        except (NotRegular, PermissionError) as error:
            raise Unfit(error.strerror) from None
        try:
            seen = os.fstat(handle)
            data = os.read(handle, LIMIT + 1)
        finally:
            os.close(handle)
        if seen.st_nlink > 1:
            raise Unfit("it has a second name, so that its owner need not have asked")
        if len(data) > LIMIT:
            raise Unfit(f"it is larger than {LIMIT // 1024} KiB")
        try:
            return Left(from_bytes(data), seen.st_uid)
        except UsageError as error:
            raise Unfit(str(error)) from None

    def refuse(self, name: str, why: str) -> None:
        """Remove what is no request, and set a copy aside if it is a file and not one of a flood."""
        owner, end = self._set_aside(name) if self._tried < SET_ASIDE else ("somebody", "removed")
        if self._refused:
            self._more += 1
        else:
            self._refused.append(f"{printable(name)}, left by {owner}, is no request and is {end}: {why}")
        self.remove(name)

    def _set_aside(self, name: str) -> tuple[str, str]:
        """Copy a file that is no request. Returns its owner and what becomes of it, in words.

        A file with several hard links is not copied: it may belong to somebody who never left it here.
        """
        self._tried += 1
        owner = "somebody"
        try:
            owner = f"user {os.lstat(self.folder / name).st_uid}"
            with os.fdopen(open_regular(self.folder / name), "rb", buffering=0) as file:
                seen = os.fstat(file.fileno())
                if seen.st_nlink != 1:
                    return owner, "removed"
                path = refused.keep(self._aside, file.read(LIMIT), seen.st_uid)
        except NotRegular:
            return owner, "removed"
        except OSError as error:
            return owner, f"removed (no copy could be set aside: {error.strerror})"
        self._kept += 1
        cut = f" (its first {LIMIT // 1024} KiB)" if seen.st_size > LIMIT else ""
        return owner, f"set aside as {printable(os.fspath(path))}{cut}"

    def refusals(self) -> list[str]:
        """What was refused since the last call, in two lines however many they are."""
        more = [f"and {self._more} more that are no requests either"] if self._more else []
        if more and self._kept:
            more[0] += (
                f"; {self._kept} of all are set aside in {printable(os.fspath(self._aside))}, the others are removed"
            )
        found, self._refused, self._more = self._refused + more, [], 0
        self._tried = self._kept = 0
        return found

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
