"""The length that a recording itself states, and only where that can be believed.

FFmpeg gives a length for every file. For many it is an estimate (from the bit rate of the first frames), the length of the
longest track, the first file's of several in a row, or the difference of two clocks. Such a length must refuse no file, cause
no warning and move no progress bar. A length in the head was written by a program that knew; each format has its own place for
it.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import av
from av.container import InputContainer

from sttd.part import Cause, Options
from sttd.worker.audio import avi, mp3
from sttd.worker.audio.heads import Head
from sttd.worker.audio.source_file import SourceFile
from sttd.worker.errors import PartFailed

_LOOK = 256 * 1024  # bytes of a head
_SLACK = 1.0  # seconds; if a recording's clock begins later than this, its length may be counted from elsewhere
_OF_TRACK = {"mov,mp4,m4a,3gp,3g2,mj2", "flac", "wav", "w64", "aiff", "au", "caf", "ape", "tta", "wv"}
_BY_SIZE = {"sln", "mulaw", "alaw", "gsm", "voc"}  # the same number of bytes for each second
_SEGMENT, _INFO, _DURATION = b"\x18\x53\x80\x67", b"\x15\x49\xa9\x66", (b"\x44\x89\x84", b"\x44\x89\x88")  # of Matroska
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # of ASF
_BROADCAST = 1  # flag in them: the head was written before the length was known
_UNKNOWN = 0xFFFF_FFFF
_BEGINNING = re.compile(rb"OggS\0\x02")  # of a track's first page
_PAGES = 8  # of an Ogg file that are looked at
_NEARLY = 0.98  # of the bytes
_MOST = 1e7  # seconds (115 days): more is damage


@dataclass(frozen=True, slots=True)
class Promise:
    """A length that the file states."""

    seconds: float  # from the container's beginning
    of_track: bool = False  # the sound's own; else that of the longest track
    is_cut: bool = False  # the file is shorter than it says
    size: int = 0  # bytes of sound that the file states, if they can show that the length is wrong; 0: none

    def is_broken(self, seconds: float, size: int) -> bool:
        """Whether this sound, made of so many bytes, is less than was promised, and nothing but a loss explains it."""
        if not self.of_track and not self.is_cut:
            return False
        was_miscounted = 0 < _NEARLY * self.size < size
        return not was_miscounted and seconds < self.seconds - max(1.0, 0.01 * self.seconds)


def promise(container: InputContainer, tracks: Sequence[Any], file: SourceFile, head: Head) -> Promise | None:
    """The length of the longest of these tracks. None: the file does not say, or not in a way that can be believed.

    Raises:
        OSError: it cannot be read.
    """
    here = file.tell()
    try:
        found = [_promise(container, track, file, head) for track in tracks]
        # false for NaN
        believed = [told for told in found if told is not None and 0 < told.seconds < _MOST]
        return max(believed, key=lambda told: told.seconds, default=None)
    finally:
        file.seek(here)


def _promise(container: InputContainer, track: Any, file: SourceFile, head: Head) -> Promise | None:
    name, begin = container.format.name, (container.start_time or 0) / av.time_base
    whole = container.duration / av.time_base if container.duration is not None else None
    if name == "mp3":
        found = mp3.declared(file)
        return Promise(found[0], of_track=True, size=found[1]) if found else None
    if name == "avi":
        return _avi(file, track.index)
    if whole is None or head.beyond:
        return None
    if head.missing and head.rate:
        return Promise(head.told / head.rate, of_track=True)
    if name in _OF_TRACK:
        return _of_track(container, track, file)
    if name in _BY_SIZE:
        return Promise(whole)
    reader = _CONTAINERS.get(name)
    return reader(file, whole) if reader is not None and abs(begin) <= _SLACK else None


def _of_track(container: InputContainer, track: Any, file: SourceFile) -> Promise | None:
    data = _read(file, 0, 64)
    if data[:4] == b"fLaC" and not struct.unpack_from(">Q", data, 18)[0] & (1 << 36) - 1:
        return None  # written into a pipe, or never finished
    if track.duration is None or track.time_base is None:
        return None
    late = float((track.start_time or 0) * track.time_base) - (container.start_time or 0) / av.time_base
    return Promise(float(track.duration * track.time_base) + max(0.0, late), of_track=True)


def _avi(file: SourceFile, index: int) -> Promise | None:
    """By the track's own head; for a file that was cut off, FFmpeg gives the length of what is left."""
    data = _read(file, 0, _LOOK)
    size, found = struct.unpack_from("<I", data, 4)[0], avi.track(data, index)
    if size in (0, _UNKNOWN) or found is None or found.length in (0, _UNKNOWN):
        return None  # written into a pipe, or never finished
    seconds = (found.start + found.length) * found.scale / found.rate
    return Promise(seconds, is_cut=size + 8 > _size(file))


def _matroska(file: SourceFile, whole: float) -> Promise | None:
    data = _read(file, 0, _LOOK)
    segment, info = data.find(_SEGMENT), data.find(_INFO)
    if segment < 0 or info < 0 or not any(data.find(each, info, info + 4096) >= 0 for each in _DURATION):
        return None
    # a length as EBML writes it: as many leading zeros as it has more bytes (RFC 8794, section 4)
    size = int.from_bytes(data[segment + 4 : segment + 12], "big")
    count = 9 - (size >> 56).bit_length()
    if count > 8:  # no such number
        return None
    most = (1 << 7 * count) - 1
    size = size >> 8 * (8 - count) & most
    return Promise(whole, is_cut=size != most and segment + 4 + count + size > _size(file))


def _asf(file: SourceFile, _: float) -> Promise | None:
    """By its head; for a file that was cut off, FFmpeg gives the length of what is left."""
    data = _read(file, 0, _LOOK)
    at = data.find(_FILE_PROPERTIES)
    if at < 0 or len(data) < at + 92:
        return None
    size, _, _, lasts, _, preroll, flags = struct.unpack_from("<QQQQQQI", data, at + 40)
    if flags & _BROADCAST or lasts / 1e7 <= preroll / 1e3:
        return None
    return Promise(lasts / 1e7 - preroll / 1e3, is_cut=size > _size(file))


def _flv(file: SourceFile, _: float) -> Promise | None:
    data = _read(file, 0, _LOOK)
    lasts, size = _amf_number(data, b"duration"), _amf_number(data, b"filesize")
    return Promise(lasts, is_cut=size > _size(file)) if lasts > 0 else None


def _amf_number(data: bytes, name: bytes) -> float:
    """A number of FLV's onMetaData; 0 where it is not there."""
    at = data.find(struct.pack(">H", len(name)) + name + b"\0")
    value = data[at + 3 + len(name) : at + 11 + len(name)]
    return float(struct.unpack(">d", value)[0]) if at >= 0 and len(value) == 8 else 0.0


def _ogg(file: SourceFile, whole: float) -> Promise | None:
    """Its length is the place of its last page: wrong where several files follow each other, and never more than is there."""
    size, last = _size(file), 0
    begin = _read(file, 0, 65_536)
    first, tracks = _page(begin), _beginnings(begin)
    for number in range(1, _PAGES):
        page = _page(_read(file, size * number // _PAGES, 2 * 65_536))
        if page is not None and page[0] not in tracks:
            return None  # another file's
        if page is None or first is None or page[0] != first[0]:
            continue  # another track's
        if page[1] < last:
            return None
        last = page[1]
    return Promise(whole)


def _page(data: bytes) -> tuple[int, int] | None:
    """The track's serial number and the place in time of the first Ogg page that ends a packet (RFC 3533, section 6)."""
    at = data.find(b"OggS")
    while 0 <= at <= len(data) - 18:
        place, serial = struct.unpack_from("<qI", data, at + 6)
        if place >= 0:
            return serial, place
        at = data.find(b"OggS", at + 1)
    return None


def _beginnings(data: bytes) -> set[int]:
    """The serial numbers of the tracks whose first page is in there."""
    return {struct.unpack_from("<I", data, each.end() + 8)[0] for each in _BEGINNING.finditer(data[:-12])}


_CONTAINERS = {"matroska,webm": _matroska, "asf": _asf, "flv": _flv, "ogg": _ogg}


def _read(file: SourceFile, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _size(file: SourceFile) -> int:
    return file.seek(0, os.SEEK_END)


def too_long(options: Options) -> PartFailed:
    text = f"the recording is longer than limits.max_audio ({clock(options.max_audio)}); split it, or raise the limit"
    return PartFailed(Cause.BAD_FILE, text)


def clock(seconds: float) -> str:
    """h:mm:ss, for people."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
