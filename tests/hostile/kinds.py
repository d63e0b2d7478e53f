"""What is no plain file: links, pipes, devices, folders; and files with holes as large as a disk."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.hostile import media
from tests.hostile.corpus import Case, Fate
from tests.hostile.media import ENGLISH

TERABYTE = 2**40
_HOLES = "holes"


def cases() -> list[Case]:
    """Devices only where one may make them."""
    made = [
        _special(b"link-in.flac", _link("sub folder/plain.flac"), Fate.LEFT, "symbolic link"),
        _special(b"link-out.flac", _link_out, Fate.LEFT, "symbolic link"),
        _special(b"link-password.wav", _link("/etc/passwd"), Fate.LEFT, "symbolic link"),
        _special(b"link-dangling.flac", _link("nowhere"), Fate.LEFT, "symbolic link"),
        _special(b"link-loop.flac", _link("link-loop.flac"), Fate.LEFT, "symbolic link"),
        _special(b"link-folder", _link(".."), Fate.LEFT, "suffix"),
        _special(b"link-folder.mp3", _link(".."), Fate.LEFT, "symbolic link"),
        _special(b"fifo.wav", lambda path, _: os.mkfifo(path), Fate.LEFT, "not a regular file"),
        _special(b"socket.mp3", _socket, Fate.LEFT, "not a regular file"),
        _special(b"folder.flac", lambda path, _: os.mkdir(path), Fate.LEFT, ""),
        _special(b"hard-link.flac", _hard_link, Fate.DONE, ENGLISH),
        _special(b"sparse.mp3", partial(_sparse, b""), Fate.FAILED, _HOLES),
        _special(b"sparse-twin.mp3", partial(_sparse, b""), Fate.FAILED, _HOLES),
        _special(b"sparse-with-head.flac", _sparse_flac, Fate.FAILED, _HOLES),
        _special(b"sparse-with-head.wav", _sparse_wav, Fate.FAILED, _HOLES),
        Case(b"sub folder/plain.flac", media.good, Fate.DONE, ENGLISH),
    ]
    if os.geteuid() == 0:
        zero, ram = os.makedev(1, 5), os.makedev(1, 0)
        made += [
            _special(
                b"zero.wav", lambda path, _: os.mknod(path, 0o666 | stat.S_IFCHR, zero), Fate.LEFT, "not a regular file"
            ),
            _special(
                b"disk.wav", lambda path, _: os.mknod(path, 0o600 | stat.S_IFBLK, ram), Fate.LEFT, "not a regular file"
            ),
        ]
    return made


def _special(path: bytes, make: Callable[[bytes, Path], None], fate: Fate, says: str) -> Case:
    return Case(path, make, fate, says, special=True)


def _link(target: str) -> Callable[[bytes, Path], None]:
    return lambda path, _: os.symlink(os.fsencode(target), path)


def _link_out(path: bytes, outside: Path) -> None:
    (outside / "linked.flac").write_bytes(media.good())
    os.symlink(os.fsencode(outside / "linked.flac"), path)


def _hard_link(path: bytes, outside: Path) -> None:
    """It is a file of the inbox like any other; the other name keeps the data."""
    (outside / "other-name.flac").write_bytes(media.good())
    os.link(outside / "other-name.flac", path)


def _socket(path: bytes, _: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:  # the name of one is 108 bytes at most: from its own folder
        here = os.open(".", os.O_RDONLY)
        os.chdir(os.path.dirname(path))
        try:
            server.bind(os.path.basename(path))
        finally:
            os.fchdir(here)
            os.close(here)


def _sparse(head: bytes, path: bytes, _: Path) -> None:
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(TERABYTE)


def _sparse_flac(path: bytes, outside: Path) -> None:
    _sparse(media.good(), path, outside)


def _sparse_wav(path: bytes, outside: Path) -> None:
    _sparse(media.wav(claim=2**32 - 1), path, outside)
