"""A folder that is held open. Every step in it uses its handle, and no step follows a symbolic link.

Everybody in the group may write to the inbox: while we work on a file, any of them may replace one of its folders by a link.
A path that is looked up again would then lead to somebody else's recordings. So a walk begins at a configured folder,
opens one folder after the other with O_NOFOLLOW, and renames, links and removes relative to what it opened
(openat(2), "Rationale for openat"). Whatever is swapped afterwards, the step acts on the folder that was checked.

openat2(2) with RESOLVE_BENEATH would save calls but be no safer: `..` is refused as a component.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from sttd.fs.regular import open_regular

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_IN_THE_WAY = (errno.ENOTDIR, errno.ELOOP)  # the errors of O_DIRECTORY for a file, and of O_NOFOLLOW for a link


def folder_on_the_way(path: str, below: str) -> Folder:
    """The folder that a file lies in, held open; no link is followed on the way to it from the folder `below`.

    Raises:
        FileNotFoundError: it is gone, or somebody put a link in its way.
    """
    components = split(below, path)
    if components is None:
        raise FileNotFoundError(errno.ENOENT, "the path leads out of its folder", path)
    with Folder.open(below) as held:
        return held.below(components[:-1])


def open_regular_below(path: str, below: str) -> int:
    """Open a regular file to read from. No link is followed below `below`; if that is "", links above the file are."""
    if not below:
        return open_regular(path)
    with folder_on_the_way(path, below) as folder:
        return open_regular(os.path.basename(path), folder=folder.handle)


class Folder:
    """A folder by its handle; `path` is only for messages and for the ledger. To be closed, or used with `with`.

    Every method raises OSError where the file system refuses.
    """

    def __init__(self, handle: int, path: str) -> None:
        self.handle = handle
        self.path = path

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Folder:
        """Open a configured folder. Links on the way to it are followed: the administrator made them."""
        return cls(os.open(path, _FLAGS), os.fspath(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        os.close(self.handle)

    def path_of(self, name: str) -> str:
        return os.path.join(self.path, name)

    def below(self, components: Iterable[str]) -> Folder:
        """Open the subfolder that `components` lead to, one after the other.

        Raises:
            FileNotFoundError: it is not there, a link or a file is in the way, or a component leads out of the folder.
        """
        here = Folder(os.dup(self.handle), self.path)
        for component in components:
            with here:
                here = here._enter(component)
        return here

    def make_below(self, components: Iterable[str]) -> Folder:
        """As `below`, but makes missing folders, with the permissions of the folder above.

        Raises:
            NotADirectoryError: a link or a file is in the way.
        """
        here = Folder(os.dup(self.handle), self.path)
        for component in components:
            with here:
                here = here.make(component)
        return here

    def make(self, name: str) -> Folder:
        """Open the subfolder of this name; if it is missing, make it with the permissions of this folder.

        The kernel passes setgid on by itself. A chmod with setgid is refused by systemd's RestrictSUIDSGID=, and one without
        clears it. So a new folder that has setgid gets no chmod, and the umask may have taken permissions from it.

        Raises:
            NotADirectoryError: a link or a file is in the way.
        """
        mode = os.fstat(self.handle).st_mode & 0o777
        try:
            os.mkdir(name, mode, dir_fd=self.handle)
        except FileExistsError:
            made = self._open_folder(name)
        except OSError as error:
            raise _with_path(self.refusal(error), self.path_of(name)) from None
        else:
            made = self._open_folder(name)
            seen = os.fstat(made.handle).st_mode
            if seen & 0o777 != mode and not seen & stat.S_ISGID:
                os.fchmod(made.handle, mode)
            self.sync()
        return made

    def _enter(self, component: str) -> Folder:
        if component in ("", ".", "..") or "/" in component:
            raise FileNotFoundError(errno.ENOENT, "the path leads out of its folder", self.path_of(component))
        try:
            return self._open_folder(component)
        except NotADirectoryError:
            raise FileNotFoundError(errno.ENOENT, "no folder, or a link to one", self.path_of(component)) from None

    def _open_folder(self, name: str) -> Folder:
        path = self.path_of(name)
        try:
            return Folder(os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=self.handle), path)
        except OSError as error:
            if error.errno in _IN_THE_WAY:
                error = NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            raise _with_path(error, path) from None

    def stat(self, name: str) -> os.stat_result | None:
        """What has this name, without following a link; None: nothing has."""
        with contextlib.suppress(FileNotFoundError):
            return os.stat(name, dir_fd=self.handle, follow_symlinks=False)
        return None

    def file(self, name: str) -> os.stat_result | None:
        """As `stat`, but None for anything but a regular file."""
        seen = self.stat(name)
        return seen if seen is not None and stat.S_ISREG(seen.st_mode) else None

    def open_file(self, name: str) -> int:
        """A handle of a regular file, to read from; never blocks on a FIFO that takes its place.

        Raises:
            FileNotFoundError: there is none, or it is no regular file.
        """
        path = self.path_of(name)
        if self.file(name) is None:  # checked before open(2): opening a device may have an effect
            raise FileNotFoundError(errno.ENOENT, "no regular file", path)
        try:
            handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.handle)
        except OSError as error:
            raise _with_path(error, path) from None
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise FileNotFoundError(errno.ENOENT, "no regular file", path)
        return handle

    def create(self, name: str, mode: int) -> int:
        """A handle of a new file of exactly this mode, to write to.

        Raises:
            FileExistsError: the name is taken.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            handle = os.open(name, flags, mode, dir_fd=self.handle)
        except OSError as error:
            raise _with_path(error, self.path_of(name)) from None
        os.fchmod(handle, mode)  # whatever the umask
        return handle

    def mount(self) -> tuple[int, str]:
        """Equal for two folders if a rename between them can work. rename(2) also fails between two mounts of one disk."""
        with open(f"/proc/self/fdinfo/{self.handle}", encoding="ascii") as info:  # proc(5)
            number = next((line for line in info if line.startswith("mnt_id")), "")
        return os.fstat(self.handle).st_dev, number

    def names(self) -> list[str]:
        return os.listdir(self.handle)

    def rename(self, name: str, target: Folder, new: str) -> None:
        """Rename a file; one that has the new name is replaced."""
        try:
            os.rename(name, new, src_dir_fd=self.handle, dst_dir_fd=target.handle)
        except OSError as error:
            raise _with_path(error, self.path_of(name), target.path_of(new)) from None

    def link(self, name: str, target: Folder, new: str) -> None:
        """Give a file a second name.

        Raises:
            FileExistsError: the name is taken.
        """
        try:
            os.link(name, new, src_dir_fd=self.handle, dst_dir_fd=target.handle, follow_symlinks=False)
        except OSError as error:
            raise _with_path(error, self.path_of(name), target.path_of(new)) from None

    def unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self.handle)
        except OSError as error:
            raise _with_path(error, self.path_of(name)) from None

    def discard(self, name: str) -> None:
        """Remove a file that may be gone already."""
        with contextlib.suppress(FileNotFoundError):
            self.unlink(name)

    def remove_tree(self, name: str) -> None:
        """Remove a folder of our own, whatever of it is left."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(name, dir_fd=self.handle)

    def refusal(self, error: OSError) -> OSError:
        """Turn ENOENT for a new name in this folder into EINVAL, if the folder still exists.

        Linux reports ENOENT where an SMB server refuses a name (STATUS_OBJECT_NAME_INVALID).
        """
        if error.errno == errno.ENOENT and os.fstat(self.handle).st_nlink > 0:
            return OSError(errno.EINVAL, os.strerror(errno.EINVAL), error.filename, None, error.filename2)
        return error

    def sync(self) -> None:
        """Fsync the folder: only then what was created, renamed or removed in it is on disk (fsync(2)).

        EINVAL is ignored: that file system cannot sync folders (VirtualBox's shared folders), and nothing better is possible.
        """
        try:
            os.fsync(self.handle)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise


def _with_path(error: OSError, path: str, target: str | None = None) -> OSError:
    """The error with whole paths: a name relative to a handle would not tell people, or the daemon, which file it is."""
    return OSError(error.errno, error.strerror, path, None, target)


def split(root: str, path: str) -> list[str] | None:
    """The components of `path` below `root`; None: `path` is not below it."""
    root = root.rstrip("/") + "/"
    if not path.startswith(root):
        return None
    return path[len(root) :].split("/")
