"""How long an MP3 file is, by the frame that an encoder puts in front of the sound (Xing's, LAME's or Fraunhofer's).

Without one, FFmpeg reckons from the bit rate of the first frames, which is wrong where it varies. With one that is the first
file's of several in a row (podcasts with advertisements put in), the file is longer than that frame says.
"""

from __future__ import annotations

import os
import struct

from sttd.worker.audio.source_file import SourceFile

_TAGS = 8  # ID3 tags one behind the other; two are seen
_SYNC = 64 * 1024  # bytes in which the first frame must begin
_RATES = (44_100, 48_000, 32_000)  # Hz, of MPEG 1; a half and a quarter of that in 2 and 2.5
_EXTRA = 64 * 1024  # bytes behind the sound that may be tags, beside 2 % of it
_FRAMES, _BYTES = 1, 2  # flags: that field is there


def seconds(file: SourceFile) -> float | None:
    """None: it does not say, or there is more than it says.

    Raises:
        OSError: it cannot be read.
    """
    size, start = file.seek(0, os.SEEK_END), _behind_tags(file)
    file.seek(start)
    data = file.read(_SYNC)
    at = _first_frame(data)
    if at is None:
        return None
    version, rate, side = _frame(data[at : at + 4])
    frames, count = _counted(data[at : at + 256], side)
    there = size - start - at
    if not frames or not count or there > 1.02 * count + _EXTRA:
        return None
    return frames * (1152 if version == 3 else 576) / rate


def _behind_tags(file: SourceFile) -> int:
    at = 0
    for _ in range(_TAGS):
        file.seek(at)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3":
            break
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if head[5] & 0x10 else 0)
    return at


def _first_frame(data: bytes) -> int | None:
    """Where a frame of layer III begins (ISO/IEC 11172-3, 2.4.2.3)."""
    at = data.find(b"\xff")
    while 0 <= at <= len(data) - 4:
        second, third = data[at + 1], data[at + 2]
        is_frame = (
            second & 0xE6 == 0xE2 and second & 0x18 != 0x08 and third >> 4 not in (0, 15) and third & 0x0C != 0x0C
        )
        if is_frame:
            return at
        at = data.find(b"\xff", at + 1)
    return None


def _frame(head: bytes) -> tuple[int, int, int]:
    """MPEG's version (3: 1, 2: 2, 0: 2.5), the sample rate, and the bytes between the head and Xing's frame."""
    version = head[1] >> 3 & 3
    rate = _RATES[head[2] >> 2 & 3] // {3: 1, 2: 2, 0: 4}[version]
    is_mono = head[3] >> 6 == 3
    side = (17 if is_mono else 32) if version == 3 else (9 if is_mono else 17)
    return version, rate, side


def _counted(frame: bytes, side: int) -> tuple[int, int]:
    """Frames and bytes, as the first frame says; 0 where it does not."""
    xing = frame[4 + side :]
    if xing[:4] in (b"Xing", b"Info") and len(xing) >= 16:
        flags, frames, count = struct.unpack_from(">III", xing, 4)
        return (frames, count) if flags & _FRAMES and flags & _BYTES else (0, 0)
    if frame[36:40] == b"VBRI" and len(frame) >= 54:
        count, frames = struct.unpack_from(">II", frame, 46)
        return frames, count
    return 0, 0
