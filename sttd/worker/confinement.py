"""A worker decodes files from strangers, so it first gives up all rights that decoding does not need (landlock(7)).

It may write no file, make none, remove none, run no program, open no TCP connection and signal no other process. What is open,
its pipe and standard error, stays open. Devices may be written to: a GPU is one. An older version of Landlock takes away less.
Without Landlock (kernels before 5.13), or in a sandbox that forbids its calls, a worker keeps all of its rights.
"""

from __future__ import annotations

import ctypes
import os
import struct

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # numbers of the system calls, the same on all architectures
_VERSION = 1  # flag of _CREATE: return the version of Landlock that the kernel has
_BENEATH = 1  # kind of rule
_NO_NEW_PRIVILEGES = 38  # prctl(2)
# linux/landlock.h: execute, write a file, remove a folder or a file, make anything; from version 2 on link into another
# folder, from 3 on truncate
_EXECUTE, _WRITE, _CHANGE, _LINK, _TRUNCATE = 1 << 0, 1 << 1, sum(1 << bit for bit in range(4, 13)), 1 << 13, 1 << 14
_TCP = 0b11  # bind and connect, from version 4 on
_SCOPES = 0b11  # abstract Unix sockets and signals, from version 6 on


def confine(*, cuda: bool) -> str:
    """Give up these rights, for this thread and those that it starts. Returns a sentence for the log.

    To be called before the process has a second thread, and after the libraries are imported.

    Args:
        cuda: a GPU may be used. CUDA is initialised first, because it runs a program where its driver is not loaded yet.
    """
    if cuda:
        import ctranslate2  # noqa: PLC0415 - loaded already

        ctranslate2.get_cuda_device_count()
    try:
        version = _call(_CREATE, None, 0, _VERSION)
        ruleset = _ruleset(version)
        try:
            _allow(ruleset, "/dev", _WRITE | _CHANGE | _later(version))
            _restrict(ruleset)
        finally:
            os.close(ruleset)
    except OSError as error:
        return f"not confined: {error.strerror}"
    return f"confined by Landlock, version {version}"


def _later(version: int) -> int:
    return (_LINK if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)


def _ruleset(version: int) -> int:
    """The file descriptor of a new ruleset. A kernel refuses fields of the structure that its version does not know."""
    attributes = struct.pack("=Q", _EXECUTE | _WRITE | _CHANGE | _later(version))
    attributes += struct.pack("=Q", _TCP) if version >= 4 else b""
    attributes += struct.pack("=Q", _SCOPES) if version >= 6 else b""
    return _call(_CREATE, attributes, len(attributes), 0)


def _allow(ruleset: int, folder: str, rights: int) -> None:
    """Allow `rights` on everything below `folder`."""
    handle = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        _call(_ADD, ruleset, _BENEATH, struct.pack("=Qi", rights, handle), 0)
    finally:
        os.close(handle)


def _restrict(ruleset: int) -> None:
    if _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _call(_RESTRICT, ruleset, 0)


_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *words: int | bytes | None) -> int:
    """The result of a system call.

    Raises:
        OSError: the kernel does not know it, or refuses.
    """
    values = [ctypes.c_long(each) if isinstance(each, int) else ctypes.c_char_p(each) for each in words]
    result = int(_libc.syscall(ctypes.c_long(number), *values))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
