"""Where the sound of an AVI file belongs: it has no time stamps, and FFmpeg puts each packet behind the one before.

A track that begins late, or has a hole, says so in two ways: the start in its head, and empty chunks in the index, each of
which stands for as much time as a chunk with sound (Microsoft's "AVI RIFF File Reference").
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from sttd.worker.audio.source_file import SourceFile

_LOOK = 256 * 1024  # bytes of the head
_MOST = 256 * 2**20  # bytes of an index; a chunk has 16
_PIECE = 2**20  # bytes of it that are looked at together
_HOLES = 100_000  # in a track; no recorder leaves so many
_ENTRY = np.dtype([("name", "S4"), ("flags", "<u4"), ("at", "<u4"), ("size", "<u4")])


@dataclass(frozen=True, slots=True)
class Track:
    """What the head of a track says. Times are counted in `scale` / `rate` seconds."""

    scale: int
    rate: int
    start: int
    length: int  # 0 or 2**32 - 1: not known
    size: int  # bytes of a sample where all have the same; 0: a chunk is the unit


@dataclass(frozen=True, slots=True)
class Places:
    """Seconds at which packets of a track belong."""

    start: float = 0.0  # the first one
    holes: dict[int, float] = field(default_factory=dict)  # of packets that follow a hole, by their place in the file


def track(head: bytes, index: int) -> Track | None:
    """What the head of the track with that number says; None: it is not there, or makes no sense."""
    heads = head.split(b"strh")[1:]
    if len(heads) <= index or len(heads[index]) < 52:
        return None
    scale, rate, start, length, _, _, size = struct.unpack_from("<7I", heads[index], 24)
    return Track(scale, rate, start, length, size) if scale and rate else None


def places(file: SourceFile, index: int) -> Places:
    """The places of the track with that number, counted over all kinds of tracks. The file's position stays.

    Raises:
        OSError: it cannot be read.
    """
    here = file.tell()
    try:
        return _places(file, index)
    finally:
        file.seek(here)


def _places(file: SourceFile, index: int) -> Places:
    head = _read(file, 0, _LOOK)
    found, movi = track(head, index), head.find(b"movi")
    if found is None or movi < 4:
        return Places()
    start, end = found.start * found.scale / found.rate, _end(head, movi)
    index_head = _read(file, end, 8)
    if index_head[:4] != b"idx1" or len(index_head) < 8 or found.size:
        return Places(start)
    size = min(_MOST, struct.unpack_from("<I", index_head, 4)[0])
    pieces = (_read(file, end + 8 + at, min(_PIECE, size - at)) for at in range(0, size, _PIECE))
    return Places(start, _holes(pieces, f"{index:02}wb".encode(), movi, found))


def _end(head: bytes, movi: int) -> int:
    """Where the list of the chunks ends, and the index begins; it has an even length."""
    length: int = struct.unpack_from("<I", head, movi - 4)[0]
    return movi + length + length % 2


def _holes(pieces: Iterable[bytes], name: bytes, movi: int, found: Track) -> dict[int, float]:
    holes: dict[int, float] = {}
    count, base, was_empty = 0, None, False  # chunks of the track; what places are counted from; the latest chunk
    for data in pieces:
        entries = np.frombuffer(data[: len(data) // _ENTRY.itemsize * _ENTRY.itemsize], _ENTRY)
        if not len(entries) or len(holes) >= _HOLES:
            break
        if base is None:
            base = 0 if entries["at"][0] > movi else movi  # some count from the file's beginning
        mine = entries[entries["name"] == name]
        is_empty = mine["size"] == 0
        for number in np.flatnonzero(~is_empty & np.concatenate(([was_empty], is_empty))[:-1]):
            holes[int(mine["at"][number]) + base + 8] = (found.start + count + int(number)) * found.scale / found.rate
        count += len(mine)
        was_empty = bool(is_empty[-1]) if len(mine) else was_empty
    return holes


def _read(file: SourceFile, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)
