"""Limits on the computing and the memory that a recording may cost before it gives any sound.

A file of a few kilobytes can ask for days of computing, or for all of the memory. FFmpeg has no such
limits: 200 tracks of 2**31 samples make an index of 10 GB, and a million comments in a head take hours to sort. No recording
that is meant to be heard comes near these figures.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

from sttd.part import Cause
from sttd.worker.errors import PartFailed

COMPUTING = 30.0  # seconds of processor time without a packet, and without 64 MiB more of the file being read
ENDLESS = (
    f"the file was computed on for {COMPUTING:.0f} s without any sound coming out of it: it is damaged, or made to hold the"
    " machine up; convert it to another kind"
)


def room(size: int) -> int:
    """Bytes of memory that a recording of `size` bytes may add to the process until it gives its first sound.

    The index of an MP4 takes 36 bytes a packet: 0.3 GiB for a track of 48 h.
    """
    return 2**29 + 4 * size


@contextlib.contextmanager
def memory(extra: int) -> Iterator[None]:
    """Within this context the process gets at most `extra` bytes more. For opening a recording: no model is at work then.

    Raises:
        PartFailed: BAD_FILE, where that was not enough.
    """
    before, held = resource.getrlimit(resource.RLIMIT_DATA), data()
    _limit(min((held + extra, *(limit for limit in before if limit != resource.RLIM_INFINITY))), before[1])
    try:
        yield
        if data() - held > 0.9 * extra:  # FFmpeg was refused the rest, and went on without it
            raise MemoryError  # noqa: TRY301 - the same end
    except MemoryError:
        text = (
            f"the file asks for {extra // 2**20} MiB of memory and more before it is heard, or has hundreds of tracks"
        )
        raise PartFailed(
            Cause.BAD_FILE, f"{text}: it is damaged, or made to hold the machine up; convert it to another kind"
        ) from None
    finally:
        _limit(*before)


def data() -> int:
    """Bytes of private, writable memory, touched or not: what RLIMIT_DATA counts (proc(5), statm; setrlimit(2))."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()


def _limit(soft: int, hard: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # a sandbox that allows no limits
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
