"""A folder that is held open. Every step in it goes by its handle, and no step follows a symbolic link.

The inbox is everybody's: while a file of it is dealt with, any member may put a link in the place of one of its folders.
A path that is looked up again would then lead to somebody else's recordings. So a walk begins at a folder of the
configuration, opens one folder after the other with O_NOFOLLOW, and renames, links and removes relative to what it opened
(openat(2), "Rationale for openat"). Whatever is swapped afterwards, the step hits the folder that was looked at.

openat2(2) with RESOLVE_BENEATH would save calls and promise no more: no component that is walked is `..`.
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
_IN_THE_WAY = (errno.ENOTDIR, errno.ELOOP)  # what O_DIRECTORY and O_NOFOLLOW say to files and to links


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
    """A handle on a regular file, to read from: as `open_regular`, and as `folder_on_the_way` where `below` is not ""."""
    if not below:
        return open_regular(path)
    with folder_on_the_way(path, below) as folder:
        return open_regular(os.path.basename(path), folder=folder.handle)


class Folder:
    """A folder by its handle; `path` is for messages, and for what is stored. To be closed, or used with `with`.

    Every method raises OSError where the file system refuses.
    """

    def __init__(self, handle: int, path: str) -> None:
        self.handle = handle
        self.path = path

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Folder:
        """A folder that the configuration names: the links that lead to it are the administrator's."""
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
        """The folder that lies `components` deeper.

        Raises:
            FileNotFoundError: it is not there, a link or a file is in the way, or a component leads out of the folder.
        """
        here = Folder(os.dup(self.handle), self.path)
        for component in components:
            with here:
                here = here._enter(component)
        return here

    def make_below(self, components: Iterable[str]) -> Folder:
        """The same; what is missing is made, with the rights of the folder above it.

        Raises:
            NotADirectoryError: a link or a file is in the way.
        """
        here = Folder(os.dup(self.handle), self.path)
        for component in components:
            with here:
                here = here.make(component)
        return here

    def make(self, name: str) -> Folder:
        """The folder of this name in here; made, where it is missing, with the rights of this one.

        The kernel hands setgid on by itself. It is never asked for: systemd's RestrictSUIDSGID= refuses that, and a chmod
        without it would take it away, so that in a setgid folder the umask has the last word.

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
        """What lies under a name, links themselves; None: nothing."""
        with contextlib.suppress(FileNotFoundError):
            return os.stat(name, dir_fd=self.handle, follow_symlinks=False)
        return None

    def file(self, name: str) -> os.stat_result | None:
        """What lies under a name, if it is a regular file."""
        seen = self.stat(name)
        return seen if seen is not None and stat.S_ISREG(seen.st_mode) else None

    def open_file(self, name: str) -> int:
        """A handle of a regular file, to read from; never blocks on a FIFO that takes its place.

        Raises:
            FileNotFoundError: there is none; what is no regular file does not count.
        """
        path = self.path_of(name)
        if self.file(name) is None:  # asked first: opening a device may do something
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
        """What tells whether a rename to another folder can work: two mounts of one disk count as two file systems."""
        with open(f"/proc/self/fdinfo/{self.handle}", encoding="ascii") as info:  # proc(5)
            number = next((line for line in info if line.startswith("mnt_id")), "")
        return os.fstat(self.handle).st_dev, number

    def names(self) -> list[str]:
        return os.listdir(self.handle)

    def rename(self, name: str, target: Folder, new: str) -> None:
        """Rename, over whatever has the new name."""
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
        """What an error says that met a new name in here, whose file is there: ENOENT is no answer in a folder that exists.

        Linux hands on so what an SMB server says of a name that it refuses (STATUS_OBJECT_NAME_INVALID).
        """
        if error.errno == errno.ENOENT and os.fstat(self.handle).st_nlink > 0:
            return OSError(errno.EINVAL, os.strerror(errno.EINVAL), error.filename, None, error.filename2)
        return error

    def sync(self) -> None:
        """What was created, renamed or removed in it is on disk only after this (fsync(2)).

        A file system that cannot sync folders (VirtualBox's shared folders) says EINVAL: it promises nothing more.
        """
        try:
            os.fsync(self.handle)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise


def _with_path(error: OSError, path: str, target: str | None = None) -> OSError:
    """The error with whole paths, which is what people and the daemon know files by."""
    return OSError(error.errno, error.strerror, path, None, target)


def split(root: str, path: str) -> list[str] | None:
    """The components of `path` below `root`; None: it does not lie there."""
    root = root.rstrip("/") + "/"
    if not path.startswith(root):
        return None
    return path[len(root) :].split("/")
