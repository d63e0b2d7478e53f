"""Downloads a model: each file resumes where it stopped and is checked, and the model appears whole or not at all.

It is stored in huggingface_hub's layout, where workers and all other programs that use that library look for it:

    models--OWNER--NAME/.pull/TAG     a file that is being downloaded
                        blobs/TAG     a file that was checked
                        snapshots/REVISION/NAME   a link to its blob
                        refs/main     the revision in use: written last
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from sttd.errors import AlreadyRunning, SttdError
from sttd.fs.lock import Lock
from sttd.fs.model_folder import current, storage
from sttd.fs.sync import fsync_folder
from sttd.hub.cache import NEEDED, VOCABULARIES, look
from sttd.hub.remote import Hub, HubError, Listing, RemoteFile, Unreachable

_BLOCK = 2**20  # bytes
_SHA256, _SHA1 = 64, 40  # hexadecimal digits


class PullError(SttdError):
    """What was downloaded is not what the hub promised, or it cannot be stored."""


class Show(Protocol):
    """Shows the progress of a download."""

    def begin(self, file: str, have: int, total: int) -> None:
        """The download of a file begins; `have` of its `total` bytes are here already."""

    def at(self, have: int) -> None:
        """`have` bytes of that file are here now."""

    def note(self, text: str) -> None:
        """Something that is worth a line."""


@dataclass(frozen=True, slots=True)
class Pulled:
    folder: Path
    revision: str
    fetched: int  # files that came over the network


class TooMuch(Exception):
    """The hub sends more bytes than the file has."""


class Incoming:
    """The file that `http_get` writes to: reports the progress to `show`, and takes no more than `most` bytes."""

    def __init__(self, file: BinaryIO, show: Show, most: int) -> None:
        self._file, self._show, self._most = file, show, most

    def write(self, data: bytes) -> int:
        if self._file.tell() + len(data) > self._most:
            raise TooMuch
        count = self._file.write(data)
        self._show.at(self._file.tell())
        return count

    def seek(self, place: int) -> int:
        return self._file.seek(place)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self) -> int:
        return self._file.truncate()


def pull(name: str, repository: str, place: Path, hub: Hub, show: Show) -> Pulled:
    """Download what is missing, damaged or newer.

    Raises:
        AlreadyRunning: another pull of this model is under way.
        HubError, PullError: the download failed; what came is kept, and the next pull resumes there.
        OSError: the cache cannot be written.
    """
    home = storage(place, repository)
    try:
        lock = _lock(name, home)
        try:
            return _pull(name, repository, home, hub, show)
        finally:
            lock.release()
    except PermissionError as error:
        raise PullError(f"{error.filename} may not be written: pull as root, or as the owner of {place}") from None
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise PullError(f"{place} is full: make room, and pull again; it goes on where it stopped") from None


def _lock(name: str, home: Path) -> Lock:
    for folder in ("blobs", "refs", "snapshots", ".pull"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    try:
        return Lock(home / ".pull" / "lock", "the pull in")
    except AlreadyRunning:
        raise AlreadyRunning(f"another pull of {name!r} is under way: wait until it has ended") from None


def _pull(name: str, repository: str, home: Path, hub: Hub, show: Show) -> Pulled:
    try:
        listing = hub.listing(repository)
    except Unreachable as error:
        here = current(home)
        if here is None or look(name, here).missing:
            raise
        show.note(f"{name} is here; whether there is a newer one is not known: {error}")
        return Pulled(here, here.name, 0)
    _check_kind(listing)
    wanted = [file for file in listing.files if not _is_here(home, listing, file)]
    _check_room(home, wanted)
    for file in wanted:
        _fetch(home, hub, listing, file, show)
    folder = _publish(home, listing)
    for left in (home / ".pull").iterdir():
        if left.name != "lock":
            left.unlink()
    return Pulled(folder, listing.revision, len(wanted))


def _check_kind(listing: Listing) -> None:
    """Raise HubError where faster-whisper could not load the model, before gigabytes are downloaded in vain."""
    names = {file.name for file in listing.files}
    missing = [name for name in NEEDED if name not in names]
    if not names.intersection(VOCABULARIES):
        missing.append(VOCABULARIES[0])
    if missing:
        raise HubError(
            f"{listing.repository!r} has no {', no '.join(missing)}: it is no Whisper model for CTranslate2;"
            " take a converted one, or convert it (ct2-transformers-converter)"
        )


def _is_here(home: Path, listing: Listing, file: RemoteFile) -> bool:
    """Whether the right bytes are here: in its blob, or as a plain file in the snapshot, which is then moved to the blobs."""
    if _matches(home / "blobs" / file.tag, file):
        return True
    plain = home / "snapshots" / listing.revision / file.name
    if plain.is_symlink() or not _matches(plain, file):
        return False
    plain.rename(home / "blobs" / file.tag)
    return True


def _check_room(home: Path, wanted: list[RemoteFile]) -> None:
    partials = [home / ".pull" / file.tag for file in wanted]
    have = sum(partial.stat().st_size for partial in partials if partial.exists())
    needed, free = sum(file.size for file in wanted) - have, shutil.disk_usage(home).free
    if needed > free:
        raise PullError(f"{home} needs {needed / 1e6:,.0f} MB and has {free / 1e6:,.0f} MB: make room, or set HF_HOME")


def _fetch(home: Path, hub: Hub, listing: Listing, file: RemoteFile, show: Show) -> None:
    """Download one file into its blob. If the rest of an earlier pull turns out to be damaged, try once more from the start."""
    partial = home / ".pull" / file.tag
    have = partial.stat().st_size if partial.exists() else 0
    if have > file.size:
        partial.unlink()
        have = 0
    with partial.open("ab") as target:
        show.begin(file.name, have, file.size)
        try:
            hub.fetch(listing, file, cast(BinaryIO, Incoming(target, show, file.size)), have)
        except TooMuch:
            target.truncate(0)  # nobody knows which bytes of it are right
        target.flush()
        os.fsync(target.fileno())
    if _matches(partial, file):
        partial.replace(home / "blobs" / file.tag)
        return
    partial.unlink()
    if have:
        show.note(f"{file.name}: what was left of an earlier pull is damaged; it is downloaded anew")
        _fetch(home, hub, listing, file, show)
        return
    raise PullError(
        f"{file.name} of {listing.repository!r} came with another content than {hub.endpoint} says it has (size, checksum):"
        " pull again; if that does not help, a proxy or mirror on the way alters files"
    )


def _matches(path: Path, file: RemoteFile) -> bool:
    """Whether size and hash are right; if the tag is no hash, only the size is compared."""
    try:
        if path.stat().st_size != file.size:
            return False
    except FileNotFoundError:
        return False
    if len(file.tag) == _SHA256:
        digest = hashlib.sha256()
    elif len(file.tag) == _SHA1:
        digest = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)  # as `git hash-object` has it
    else:
        return True
    with path.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest() == file.tag


def _publish(home: Path, listing: Listing) -> Path:
    """Make the links of all files, and write last that this is the revision in use. So workers see it whole or not at all."""
    folder = home / "snapshots" / listing.revision
    folder.mkdir(exist_ok=True)
    for file in listing.files:
        link, target = folder / file.name, f"../../blobs/{file.tag}"
        made = home / ".pull" / "link"
        made.unlink(missing_ok=True)
        made.symlink_to(target)
        made.replace(link)
    for changed in (home / "blobs", folder, folder.parent):
        fsync_folder(changed)
    made = home / ".pull" / "main"
    with made.open("w", encoding="utf-8") as reference:
        reference.write(listing.revision)
        reference.flush()
        os.fsync(reference.fileno())
    made.replace(home / "refs" / "main")
    fsync_folder(home / "refs")
    return folder
