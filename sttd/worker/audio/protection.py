"""Recognises copy-protected recordings before they are decoded, which would give noise, or nothing.

Each format marks its protection in the open: ISO/IEC 14496-12, 8.12 (protected sample entries, Apple's and Audible's own); the
encryption objects in the head of ASF (Windows Media DRM, PlayReady); Matroska's ContentEncryption; the scrambling bits of
MPEG transport streams (ISO/IEC 13818-1, 2.4.3.3) and of the sectors of DVDs.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator

from sttd.part import Cause
from sttd.worker.audio import transport
from sttd.worker.audio.source_file import SourceFile
from sttd.worker.errors import PartFailed

_LOOK = 256 * 1024  # bytes of a head
# kinds of sound in an MP4
_ENTRIES = {b"drms": "Apple's DRM (FairPlay)", b"aavd": "Audible's DRM", b"enca": "DRM (an encrypted MP4)"}
_INSIDE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")  # boxes on the way to these
_BOXES = 10_000  # looked at, at most
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_OBJECTS = [
    bytes.fromhex(each)
    for each in (
        "fbb3112223bdd211b4b700a0c955fc6e",  # Content Encryption
        "14e68a292226174cb935dae07ee9289c",  # Extended Content Encryption
        "338505438169e6499b74ad12cb86d58c",  # Advanced Content Encryption
    )
]
_PLACES = 8  # of a stream without a head, that are looked at
_DVD_SOUND = (0xBD, *range(0xC0, 0xE0))  # stream_id
_NEARLY_ALL = 0.95  # of a transport stream's packets: recordings begin before the receiver has the key
_SOME = 0.3  # of a DVD's sectors with sound: only some of them are scrambled


def check(file: SourceFile) -> None:
    """Look for a mark of protection.

    Raises:
        PartFailed: BAD_FILE; there is one.
        OSError: the file cannot be read.
    """
    head = _read(file, 0, _LOOK)
    for is_one, protection in _KINDS:
        if is_one(head):
            found = protection(file, head)
            if found:
                text = f"the recording is protected by {found}, and can be decoded only with its key"
                raise PartFailed(Cause.BAD_FILE, f"{text}; export it with its seller's program, without protection")


def _iso(file: SourceFile, _: bytes) -> str:
    kinds = [kind for kind in _sample_entries(file) if kind in _ENTRIES]
    return _ENTRIES[kinds[0]] if kinds else ""


def _sample_entries(file: SourceFile) -> Iterator[bytes]:
    """The kind of each track of an MP4."""
    regions, looked = [(0, file.seek(0, os.SEEK_END))], 0
    while regions:
        position, end = regions.pop()
        while position + 8 <= end and looked < _BOXES:
            looked += 1
            head = _read(file, position, 32)
            if len(head) < 8:
                break
            length, name = struct.unpack_from(">I4s", head)
            body = position + 8
            if length == 1 and len(head) >= 16:
                length, body = struct.unpack_from(">Q", head, 8)[0], position + 16
            length = length or end - position
            if name == b"stsd":
                yield head[20:24]
            elif name in _INSIDE:
                regions.append((body, min(end, position + length)))
            if length < 8:
                break
            position += length


def _asf(_: SourceFile, head: bytes) -> str:
    size = struct.unpack_from("<Q", head, 16)[0]
    return "Windows Media DRM" if any(each in head[:size] for each in _ASF_OBJECTS) else ""


def _matroska(_: SourceFile, head: bytes) -> str:
    for found in re.finditer(rb"\x50\x33\x81\x01.{0,8}\x50\x35", head, re.DOTALL):  # type: encryption; its parameters
        kind = head.rfind(b"\x83\x81", 0, found.start())  # TrackType of the same track
        if kind >= 0 and head[kind + 2] == 2:
            return "DRM (an encrypted Matroska or WebM)"
    return ""


def _transport_stream(file: SourceFile, _: bytes) -> str:
    share = _share(_scrambled_packets(data) for _, data in transport.places(file, _PLACES))
    return "the scrambling of pay television" if share > _NEARLY_ALL else ""


def _scrambled_packets(data: bytes) -> list[bool]:
    return [transport.is_scrambled(packet) for packet in transport.packets(data) if transport.carries(packet)]


def _dvd(file: SourceFile, _: bytes) -> str:
    share = _share(_scrambled_sectors(data) for _, data in transport.places(file, _PLACES))
    return "a DVD's scrambling (CSS)" if share > _SOME else ""


def _scrambled_sectors(data: bytes) -> list[bool]:
    """Of sectors with sound, from the first one that begins in `data`."""
    begin = next((at for at in range(2048) if data[at : at + 4] == b"\0\0\1\xba"), len(data))
    sectors = (data[at : at + 24] for at in range(begin, len(data) - 24, 2048))
    return [bool(each[20] & 0x30) for each in sectors if each[14:17] == b"\0\0\1" and each[17] in _DVD_SOUND]


def _share(marks: Iterable[list[bool]]) -> float:
    """The share that is scrambled, in the place where it is least."""
    return min((sum(found) / len(found) for found in marks if found), default=0.0)


def _read(file: SourceFile, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


_KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[SourceFile, bytes], str]], ...] = (
    (lambda head: head[4:8] == b"ftyp", _iso),
    (lambda head: head.startswith(_ASF) and len(head) >= 24, _asf),
    (lambda head: head.startswith(b"\x1aE\xdf\xa3"), _matroska),
    (lambda head: head[:1] == b"G" or head[4:5] == b"G", _transport_stream),
    (lambda head: head.startswith(b"\0\0\1\xba"), _dvd),
)
