"""A network share whose server is away: a FUSE mount that nobody serves, so that whoever touches it waits for ever."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_LIBC = ctypes.CDLL(None, use_errno=True)
_NOSUID_NODEV = 2 | 4
_DETACH = 2


@contextlib.contextmanager
def hanging(folder: Path) -> Iterator[None]:
    """Mount it over `folder`; afterwards whoever waits gets ENOTCONN, and the folder is as it was.

    Skips the test where this machine does not let us mount.
    """
    try:
        server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        pytest.skip(f"/dev/fuse: {error.strerror}")
    try:
        options = f"fd={server},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},allow_other".encode()
        if _LIBC.mount(b"hangs", os.fsencode(folder), b"fuse", _NOSUID_NODEV, options):
            pytest.skip(f"nothing can be mounted here: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            _LIBC.umount2(os.fsencode(folder), _DETACH)
    finally:
        os.close(server)
