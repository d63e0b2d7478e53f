"""Suffixes that recordings share with other files: a look at the first bytes tells them apart.

`.ts` and `.mts` are MPEG transport streams, and also TypeScript and Qt's translations; `.dts` is DTS audio, and also
the source of a device tree; `.mod` is a camcorder's MPEG, and also a tracker's music, Go's `go.mod` and a Fortran module;
`.sln` is a telephone system's samples without a head, and also Visual Studio's solution, a text. See ISO/IEC 13818-1, 2.4.3.2 (a sync byte 0x47 begins each packet of 188 bytes), the
Blu-ray format (4 bytes of time before each packet) and DVB (16 bytes of correction behind it).
"""

from __future__ import annotations

import os
from collections.abc import Callable

from sttd.fs.regular import open_regular

FIRST = 8192  # bytes that are looked at
_SYNC = 0x47
_PACKETS = (188, 192, 204)  # bytes from one sync byte to the next
_IN_A_ROW = 5  # sync bytes that make a stream; in a shorter file as many as fit, at least two
# what other recordings begin with, whatever their name says: ID3, RIFF, Ogg, FLAC, Matroska, FLV, MPEG-PS, ASF, AIFF
_HEADS = (b"ID3", b"RIFF", b"OggS", b"fLaC", b"\x1aE\xdf\xa3", b"FLV\x01", b"\x00\x00\x01\xba", b"0&\xb2u", b"FORM")
# DTS in 16 and in 14 bits of each order, the extension substream, and the file format of DTS-HD
_DTS = (b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\x00", b"\xff\x1f\x00\xe8", b"dX %", b"DTSHDHDR")

# printable ASCII, white space, and the mark that Windows begins UTF-8 texts with
_TEXT = bytes(range(0x20, 0x7F)) + b"\t\n\r\xef\xbb\xbf"


def is_recording(path: str) -> bool:
    """Whether the file may be a recording, by its suffix and, where that leaves a doubt, by its first bytes.

    Raises:
        OSError: it is looked at and cannot be read.
    """
    check = _CHECKS.get(path.rpartition(".")[2].lower())
    if check is None:
        return True
    handle = open_regular(path)
    try:
        return check(os.pread(handle, FIRST, 0))
    finally:
        os.close(handle)


def is_transport_stream(data: bytes) -> bool:
    """Whether sync bytes stand at the right distance from each other; a recording may begin in the middle of a packet."""
    for packet in _PACKETS:
        wanted = min(_IN_A_ROW, len(data) // packet)
        if wanted >= 2 and any(
            all(data[start + packet * number] == _SYNC for number in range(wanted))
            for start in range(min(packet, len(data) - packet * (wanted - 1)))
        ):
            return True
    return False


def _is_other_recording(data: bytes) -> bool:
    is_adts = len(data) > 1 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0
    return data.startswith(_HEADS) or data[4:8] == b"ftyp" or is_adts


def _is_mpeg(data: bytes) -> bool:
    return is_transport_stream(data) or _is_other_recording(data)


def _is_dts(data: bytes) -> bool:
    return any(word in data for word in _DTS) or _is_other_recording(data)


def _is_no_text(data: bytes) -> bool:
    return bool(data.translate(None, _TEXT))


_CHECKS: dict[str, Callable[[bytes], bool]] = {
    "ts": _is_mpeg,
    "mts": _is_mpeg,
    "mod": _is_mpeg,
    "dts": _is_dts,
    "sln": _is_no_text,
}
