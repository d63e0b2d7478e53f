"""How long an MP3 file is, by the frame that encoders put in front of the sound (Xing's, LAME's, Fraunhofer's), and its tags.

Without one, FFmpeg reckons from the bit rate of the first frames, which is wrong where it varies. Where several files are
joined (podcasts with advertisements put in), the whole is longer than the first one's frame says.
"""

from __future__ import annotations

import os
import struct

from sttd.worker.audio.source_file import SourceFile

_TAGS = 8  # tags in a row, at most; two are seen in practice
_SYNC = 64 * 1024  # bytes in which the first frame must begin
_RATES = (44_100, 48_000, 32_000)  # Hz, of MPEG 1; a half and a quarter of that in 2 and 2.5
_EXTRA = 64 * 1024  # bytes behind the sound that may be tags, beside 2 % of it
_FRAMES, _BYTES = 1, 2  # flags: that field is there
_APE, _APE_HEAD, _ID3V1 = b"APETAGEX", 32, 128  # bytes of an APE tag's head and foot, and of the oldest ID3
_LYRICS, _LYRICS_FOOT = b"LYRICS200", 15  # bytes; six of them are digits


def leave_out_tags(file: SourceFile) -> None:
    """Leave out APE tags and lyrics before and after the sound: FFmpeg takes a picture in them for damaged sound.

    Raises:
        OSError: it cannot be read.
    """
    size, first = file.seek(0, os.SEEK_END), _behind_tags(file)
    front = first + _ape_in_front(_read(file, first, _APE_HEAD))
    sync = _read(file, front, 2)
    if front > size or len(sync) < 2 or sync[0] != 0xFF or sync[1] & 0xE0 != 0xE0:
        return
    end = size
    for _ in range(_TAGS):
        tag = _tag_before(file, end)
        if not tag or end - tag < front:
            break
        end -= tag
    for each in ((first, front), (end, size)):
        if each[0] < each[1]:
            file.leave_out(*each)


def _ape_in_front(head: bytes) -> int:
    """The length of the APE tag that begins with `head`; 0: none does (wiki.hydrogenaud.io, APEv2)."""
    return _APE_HEAD + int(struct.unpack_from("<I", head, 12)[0]) if head[:8] == _APE and len(head) == _APE_HEAD else 0


def _tag_before(file: SourceFile, end: int) -> int:
    """The length of the tag that ends at `end`; 0: none does."""
    foot = _read(file, max(0, end - _ID3V1), min(end, _ID3V1))
    if foot[-_APE_HEAD:][:8] == _APE:
        length, _, flags = struct.unpack_from("<III", foot, len(foot) - _APE_HEAD + 12)
        return int(length) + (_APE_HEAD if flags & 1 << 31 else 0)
    if foot[:3] == b"TAG" and len(foot) == _ID3V1:
        return _ID3V1
    digits = foot[-_LYRICS_FOOT:][:6]
    return int(digits) + _LYRICS_FOOT if foot.endswith(_LYRICS) and digits.isdigit() else 0


def _read(file: SourceFile, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def declared(file: SourceFile) -> tuple[float, int] | None:
    """Seconds of sound and bytes of it. None: it does not say, or there is more than it says.

    Raises:
        OSError: it cannot be read.
    """
    size, start = file.seek(0, os.SEEK_END), _behind_tags(file)
    data = _read(file, start, _SYNC)
    at = _first_frame(data)
    if at is None:
        return None
    version, rate, side = _frame(data[at : at + 4])
    frames, count = _counted(data[at : at + 256], side)
    there = size - start - at
    if not frames or not count or there > 1.02 * count + _EXTRA:
        return None
    return frames * (1152 if version == 3 else 576) / rate, count


def _behind_tags(file: SourceFile) -> int:
    at = 0
    for _ in range(_TAGS):
        head = _read(file, at, 10)
        if len(head) < 10 or head[:3] != b"ID3":
            break
        at += length_of_tag(head)
    return at


def length_of_tag(head: bytes) -> int:
    """Bytes of the ID3 tag that begins with these 10, or with fewer of them (id3.org, ID3v2.4.0, 3.1)."""
    if len(head) < 10:
        return len(head)
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if head[5] & 0x10 else 0)


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
