"""The folders for results and sources. Each has a mark that identifies it, so that nothing is written below an absent mount.

If a file system is not mounted, the bare folder under it looks like an empty archive. So each of transcripts/, archive/ and
failed/ holds a small file with a random word, as the inbox does, and the ledger remembers the words. Device and inode
numbers alone would not do: they change when a share is mounted again. But if they are unchanged, it is the same folder: a
mark that is missing there (a mirror may have removed it) is written again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sttd.config import Paths
from sttd.errors import SttdError
from sttd.fs import moves
from sttd.fs.folder import Folder, split as components
from sttd.inboxes import split, unknown
from sttd.own import LOCK, OWN

MARK = f"{OWN}.mark"
MARKED = ("transcripts", "archive", "failed")
_WORD = 32  # hexadecimal digits


class Absent(SttdError):
    """A folder is gone or another one than before: most likely its file system is not mounted. Work waits for it."""

    def __init__(self, folder: str, text: str) -> None:
        super().__init__(text)
        self.folder = folder


class Places:
    """The folders of `paths`. Used by the threads that do file work.

    Args:
        paths: the configured ones.
        known: what `news` returned in an earlier run. A folder that is not in it is accepted as it is.
        inboxes: paths by name; None: only that of `paths`.
        marked: False if a person names a folder for a single run (`sttd transcribe -o`): it gets no mark.
    """

    def __init__(
        self,
        paths: Paths,
        known: Mapping[str, Any] | None = None,
        *,
        inboxes: Mapping[str, Path] | None = None,
        marked: bool = True,
    ) -> None:
        self.paths = paths
        self._inboxes = dict(inboxes or {"": paths.inbox})
        self._marked = marked
        self._lock = threading.Lock()  # never held while a folder is accessed, which may hang
        self._looking = {name: threading.Lock() for name in MARKED}
        self._known: dict[str, dict[str, Any]] = {}
        self._told: dict[str, dict[str, Any]] = {}
        for name in MARKED:
            each = (known or {}).get(name)
            if isinstance(each, dict) and each.get("path") == os.fspath(getattr(paths, name)):
                self._known[name] = self._told[name] = each

    def news(self) -> dict[str, dict[str, Any]] | None:
        """What to remember for the next run, as JSON; None: nothing has changed since the latest call."""
        with self._lock:
            if self._known == self._told:
                return None
            self._told = dict(self._known)
            return dict(self._known)

    def path_of(self, source: str) -> str:
        """The path of a source (`Job.source`) that was not filed away."""
        inbox, path = self._split(source)
        return os.path.join(inbox, path)

    def folder_of(self, source: str) -> Folder:
        """The folder below its inbox that a source was dropped into, held open; no link below the inbox is followed.

        Raises:
            FileNotFoundError: it is gone, or somebody put a link in its way.
        """
        inbox, path = self._split(source)
        with Folder.open(inbox) as held:
            return held.below(path.split("/")[:-1])

    def inboxes(self) -> tuple[Path, ...]:
        """The paths of all inboxes; a source may have come back to any of them."""
        return tuple(self._inboxes.values())

    def inbox_of(self, source: str, location: str | None) -> tuple[str, Path, str] | None:
        """The inbox that a recording lies in (name and path), and the recording's path below it. Accesses no disk.

        Args:
            source: as `Job.source`.
            location: as `Job.location`.
        """
        if not location:
            name, path = split(source)
            return (name, self._inboxes[name], path) if name in self._inboxes else None
        for name, inbox in self._inboxes.items():
            below = components(os.fspath(inbox), location)
            if below is not None:
                return name, inbox, "/".join(below)
        return None

    def require_inbox(self, source: str) -> None:
        """Make sure that a source which is missing in its inbox is really gone.

        Raises:
            FileNotFoundError: the inbox's lock file is missing too: the inbox is not mounted, or another folder.
        """
        inbox = os.fspath(self._split(source)[0])
        if not os.path.lexists(os.path.join(inbox, LOCK)):
            raise FileNotFoundError(errno.ENOENT, "the inbox is away: mount it again", inbox)

    def is_gone(self, source: str) -> bool:
        """Whether a source is missing in its inbox, and the inbox is not away."""
        try:
            os.lstat(self.path_of(source))
        except (FileNotFoundError, NotADirectoryError):
            return os.path.lexists(os.path.join(self._split(source)[0], LOCK))
        return False

    def _split(self, source: str) -> tuple[Path, str]:
        """The inbox of a source, and the path below it."""
        name, path = split(source)
        return self._inboxes.get(name) or unknown(self.paths.state, name), path

    def open(self, name: str) -> Folder:
        """Open one of `MARKED`, and check that it is the same folder as before.

        Raises:
            Absent: it is another one; the message says what to do.
            OSError: it cannot be accessed.
        """
        with self._looking[name]:  # else two threads might write different marks into one folder
            known = self._known.get(name)
            folder = _open(os.fspath(getattr(self.paths, name)), known)
            if self._marked:
                try:
                    now = _recognize(folder, known)
                except BaseException:
                    folder.close()
                    raise
                with self._lock:
                    self._known[name] = now
            return folder


def _open(path: str, known: Mapping[str, Any] | None) -> Folder:
    """Open a folder of `MARKED`; made if it was never used before. Raises Absent if it is gone, or no folder."""
    try:
        if known is None:
            moves.make_folder(path)
        return Folder.open(path)
    except FileNotFoundError:
        text = f"the folder {path} is gone: mount it, or make it again with its mark: {_remedy(path, known)}"
        raise Absent(os.fspath(path), text) from None
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        text = f"{path} is no folder ({error.strerror}): move what is there away, and mount or make it"
        raise Absent(os.fspath(path), text) from None


def _recognize(folder: Folder, known: dict[str, Any] | None) -> dict[str, Any]:
    """What to remember of a folder from now on. Raises Absent if it is not the `known` one."""
    seen, word = os.fstat(folder.handle), _read_mark(folder)
    numbers = [seen.st_dev, seen.st_ino]
    if known is None:
        word = word or _write_mark(folder, uuid.uuid4().hex)
    elif word != known["word"]:
        if word is not None or numbers != known["numbers"]:
            raise Absent(
                folder.path,
                f"{folder.path} is not the folder that it was (its {MARK} is "
                + ("gone" if word is None else "another one")
                + f"): mount it again, or if it is the right one: {_remedy(folder.path, known)}",
            )
        word = _write_mark(folder, known["word"])
    return {"path": folder.path, "word": word, "numbers": numbers}


def _remedy(path: str, known: Mapping[str, Any] | None) -> str:
    return f"echo {'' if known is None else known['word']} > {path}/{MARK}"


def _read_mark(folder: Folder) -> str | None:
    """The word in the mark; None: there is no mark, or no valid word in it."""
    try:
        handle = folder.open_file(MARK)
    except FileNotFoundError:
        return None
    try:
        word = os.pread(handle, _WORD, 0).decode("ascii", "replace")
    finally:
        os.close(handle)
    return word if len(word) == _WORD and set(word) <= set("0123456789abcdef") else None


def _write_mark(folder: Folder, word: str) -> str:
    with contextlib.suppress(FileNotFoundError):
        folder.unlink(MARK)  # a mark without a valid word, as a power cut may leave it
    handle = folder.create(MARK, moves.RESULT_MODE)
    try:
        os.write(handle, f"{word}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    folder.sync()
    return word
