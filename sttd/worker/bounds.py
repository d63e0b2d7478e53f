"""What a recording may cost before any of it is heard: a few kilobytes can ask for days of computing, or for all of the memory.

FFmpeg knows no such bounds: 200 tracks of 2**31 samples make an index of 10 GB, and a million comments in a head take hours to
be sorted in. No recording that is meant to be heard comes near these figures.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

from sttd.part import Cause
from sttd.worker.errors import PartFailed

COMPUTING = 30.0  # seconds of processor time without a packet, or 64 MiB read in search of one
ENDLESS = (
    f"the file was computed on for {COMPUTING:.0f} s without any sound coming out of it: it is damaged, or made to hold the"
    " machine up; convert it to another kind"
)


def room(size: int) -> int:
    """Bytes, on top of what the process has, that a recording of `size` bytes may take before it is heard.

    The index of an MP4 takes 36 bytes a packet: 0.3 GiB for a track of 48 h.
    """
    return 2**29 + 4 * size


@contextlib.contextmanager
def memory(extra: int) -> Iterator[None]:
    """While this lasts, the process gets no more than `extra` bytes. For opening a recording: no model is at work then.

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
