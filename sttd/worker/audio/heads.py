"""Heads that state less sound than is there, or more: of WAV, RF64, Wave64, AIFF, AU and CAF, where its length is one field.

FFmpeg believes a length that is too small: beyond 4 GiB the field of a WAV file wraps, and a recorder that lost its power
leaves what it wrote last, 0 often. It takes the end of the file for the end of the sound where the length is too large: a
copy that was broken off would be transcribed as if it were whole. And it stops at the end of the first sound where another one
follows: a recorder that goes on in the same file, `cat a.wav b.wav`.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass

from sttd.worker.audio.source_file import SourceFile

_CHUNKS = 64  # looked at before the sound; recorders write a handful
_JOINED = 20_000  # sounds one behind the other: two weeks of a file a minute
_PLACES, _PIECE = 9, 4096  # places behind the sound that are searched for zeros first, and bytes of each
_BLOCK = 2**20  # bytes
_OTHER = "in another form"  # sound, that cannot be joined
# a length from here on means that the program did not know it (FFmpeg writes 2**32 - 1, SoX 2**31)
_STREAMED = 0x7FFF_F000
_UNKNOWN = 0xFFFF_FFFF
_WAVE64 = bytes.fromhex("72696666 2e91cf11a5d628db04c10000")  # the name that it begins with


@dataclass(frozen=True, slots=True)
class Head:
    """What a head says of the sound, compared with what is there."""

    missing: int = 0  # bytes that it promises beyond the end of the file
    told: int = 0  # bytes of sound that it says there are
    beyond: int = 0  # bytes behind these, which were added to the sound
    rate: int = 0  # bytes a second; 0: not said
    unread: float = 0.0  # seconds of sound that follow and cannot be added; infinite: not known
    why: str = _OTHER  # they cannot be added


@dataclass(frozen=True, slots=True)
class _Sound:
    """The chunk with the sound."""

    start: int
    length: int  # as the head says
    field: int  # where in the file it says so
    form: str  # of that field, for `struct`
    rate: int
    kind: bytes  # the chunk that gives the form of the samples

    def whole(self, first: int, last: int) -> int:
        """Where the last whole frame of a sound ends (in WAV): behind a piece of a frame the next sound would be noise."""
        frame = struct.unpack_from("<H", self.kind, 12)[0] if self.form[0] == "<" and len(self.kind) == 16 else 1
        return last - (last - first) % max(1, frame)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How chunks are laid out: a name, a length, padding."""

    order: str  # < or >, of integers
    name: int  # bytes of a chunk's name
    wide: bool  # the length has 64 bits
    align: int
    own: int = 0  # bytes of its head that the length counts too
    front: int = 0  # bytes of the sound's chunk in front of the samples

    @property
    def head(self) -> int:
        return self.name + (8 if self.wide else 4)

    @property
    def form(self) -> str:
        return self.order + ("Q" if self.wide else "I")


_KINDS = {
    b"RIFF": _Kind("<", 4, wide=False, align=2),
    b"RF64": _Kind("<", 4, wide=False, align=2),
    b"BW64": _Kind("<", 4, wide=False, align=2),
    b"FORM": _Kind(">", 4, wide=False, align=2, front=8),
    b"riff": _Kind("<", 16, wide=True, align=8, own=24),
    b"caff": _Kind(">", 4, wide=True, align=1, front=4),
}
_BEGIN = {b"riff": 40, b"caff": 8}  # of the first chunk; 12 in the others


def look(file: SourceFile) -> Head:
    """Look at the head, and amend a length in it that is too small: `file` gives the right one from then on.

    Raises:
        OSError: it cannot be read.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(40)
    if head[:4] == b".snd" and len(head) >= 24:
        return _look_at_au(file, head, size)
    kind = _KINDS.get(head[:4])
    if kind is None or not _is_sound(head):
        return Head()
    sound = _find(file, kind, _BEGIN.get(head[:4], 12))
    if sound is None:
        return Head()
    _amend_whole(file, kind, head, size)
    there = size - sound.start
    if sound.length > there:
        streamed = sound.length >= (2**62 if sound.form[1] == "Q" else _STREAMED)
        return Head(missing=0 if streamed else sound.length - there, told=sound.length, rate=sound.rate)
    beyond = there - sound.length
    end = sound.start + sound.length
    is_little = beyond <= max(sound.rate, 1)
    is_followed = _is_beginning(file, _behind(file, kind, sound.start, end))
    if (is_little and not is_followed) or (sound.length > 0 and _is_padding(file, end, size)):
        return Head(told=sound.length, rate=sound.rate)
    is_indexed = kind.name == 4 and kind.wide and not sound.rate  # CAF whose packets have places and lengths in a table
    joined = _unread(file, kind, sound) if is_indexed else _joined(file, kind, sound, size)
    if joined.beyond or joined.unread or is_little or _are_chunks(file, kind, end, size):
        return joined
    _amend_length(file, kind, sound, there)
    return Head(told=sound.length, beyond=beyond, rate=sound.rate)


def _amend_length(file: SourceFile, kind: _Kind, sound: _Sound, length: int) -> None:
    most = 2 ** (8 * struct.calcsize(sound.form)) - 1
    file.amend(sound.field, struct.pack(sound.form, min(length + kind.own, most)))


def _unread(file: SourceFile, kind: _Kind, sound: _Sound) -> Head:
    end = sound.start + sound.length
    unread = 0.0 if _find(file, kind, end) is None else math.inf
    return Head(told=sound.length, rate=sound.rate, unread=unread, why="with a table of its own")


def _joined(file: SourceFile, kind: _Kind, sound: _Sound, size: int) -> Head:
    """Add the sounds of further chunks or files behind the first one to it, if they have the same form."""
    begin = sound.start
    end = begin + sound.length if sound.length else _end_of_none(file, kind, begin, begin)
    last = sound.whole(begin, end)
    length, gaps, unread, why = last - sound.start, list[tuple[int, int]](), 0.0, _OTHER
    for _ in range(_JOINED):
        further = _find(file, kind, _behind(file, kind, begin, end), sound.kind)
        if further is None:
            break
        begin = further.start
        end = min(begin + further.length, size) if further.length else _end_of_none(file, kind, begin, size)
        if end - begin < kind.front:  # shorter than what should be in front of its samples
            continue
        start = begin + kind.front
        if further.kind != sound.kind:
            unread += (end - start) / max(further.rate, 1)
            continue
        if length < kind.front:  # the first one is as short: it becomes all of this one
            last, length, start = sound.start, 0, begin
        gaps.append((last, start))
        last = sound.whole(start, end)
        length += last - start
    else:
        unread, why = unread + (size - end) / max(sound.rate, 1), f"behind {_JOINED:,} others"
    if gaps:
        _amend_length(file, kind, sound, length)
    for gap in gaps:
        file.leave_out(*gap)
    beyond = max(0, length - sound.length) if gaps else 0
    return Head(told=sound.length, beyond=beyond, rate=sound.rate, unread=unread, why=why)


def _end_of_none(file: SourceFile, kind: _Kind, begin: int, unsaid: int) -> int:
    """Where a chunk with a length of 0 ends. If another file follows at once, it is empty; else nobody has set the length."""
    return next((place for place in (begin, begin + kind.front) if _is_beginning(file, place)), unsaid)


def _behind(file: SourceFile, kind: _Kind, begin: int, end: int) -> int:
    """Where what follows a chunk begins. Programs leave the padding out where nothing follows in their own file."""
    return end if _is_beginning(file, end) else end + (begin - end) % kind.align


def _is_beginning(file: SourceFile, place: int) -> bool:
    file.seek(place)
    head = file.read(40)
    return head[:4] in _KINDS and _is_sound(head)


def _amend_whole(file: SourceFile, kind: _Kind, head: bytes, size: int) -> None:
    """Amend the length of the whole file, which programs write last; FFmpeg refuses the file or stops if it is wrong."""
    if kind.wide and not kind.own:  # CAF has none
        return
    whole = size - (0 if kind.wide else 8)
    (told,) = struct.unpack_from(kind.form, head, kind.name)
    if told < whole <= 2 ** (8 * struct.calcsize(kind.form)) - 1:
        file.amend(kind.name, struct.pack(kind.form, whole))


def _is_sound(head: bytes) -> bool:
    is_wave64 = head[:16] == _WAVE64 and head[24:28] == b"wave"
    return is_wave64 or head[:6] == b"caff\0\1" or head[8:12] in (b"WAVE", b"AIFF", b"AIFC")


def _find(file: SourceFile, kind: _Kind, position: int, form: bytes = b"") -> _Sound | None:
    """The next chunk with sound, also in another file behind this one; None where there is none.

    `form`: the one that was given last.
    """
    rate, wide = 0, None  # what RF64's ds64 says, and where
    for _ in range(_CHUNKS):
        file.seek(position)
        data = file.read(kind.head + 40)
        if len(data) < kind.head:
            return None
        if data[:4] in _KINDS and _is_sound(data[:40]):
            position += _BEGIN.get(data[:4], 12)
            continue
        name, (length,) = data[:4].lower(), struct.unpack_from(kind.form, data, kind.name)
        body, start = data[kind.head :], position + kind.head
        length -= kind.own
        if name == b"ds64" and len(body) >= 16:
            wide = (start + 8, struct.unpack_from("<Q", body, 8)[0])
        elif name == b"fmt " and len(body) >= 12:
            rate, form = struct.unpack_from("<I", body, 8)[0], body[:16]
        elif name == b"comm" and len(body) >= 18:
            rate, form = _aiff_rate(body), body[:2] + body[6:22]
        elif name == b"desc" and len(body) >= 24:
            rate, form = _caf_rate(body), body[:32]
        elif name == b"data" and wide is not None and length == _UNKNOWN:
            return _Sound(start, wide[1], wide[0], "<Q", rate, form)
        elif name in (b"data", b"ssnd"):
            return _Sound(start, max(0, length), position + kind.name, kind.form, rate, form)
        if length < 0:
            return None
        position = start + length + -length % kind.align
    return None


def _aiff_rate(body: bytes) -> int:
    """Bytes a second of AIFF: channels, frames, bits, and the sample rate as an 80-bit float."""
    channels, _, bits, exponent, mantissa = struct.unpack_from(">HIHHQ", body)
    return int(channels * ((bits + 7) // 8) * mantissa * 2.0 ** (min(exponent, 16_383 + 63) - 16_383 - 63))


def _caf_rate(body: bytes) -> int:
    """Bytes a second of CAF: the sample rate, then bytes and frames of a packet; 0 where packets differ."""
    hertz, _, _, count, frames = struct.unpack_from(">dIIII", body)
    return int(hertz * count / frames) if frames and 0 < hertz < 1e7 else 0


def _look_at_au(file: SourceFile, head: bytes, size: int) -> Head:
    """Its head has a fixed place for the length, and nothing follows the sound."""
    start, told = struct.unpack_from(">II", head, 4)
    there = size - start
    if told == _UNKNOWN or there <= 0:
        return Head()
    if told > there:
        return Head(missing=told - there, told=told)
    if told + 1 < there:
        file.amend(8, struct.pack(">I", _UNKNOWN))
        return Head(told=told, beyond=there - told)
    return Head(told=told)


def _is_padding(file: SourceFile, position: int, size: int) -> bool:
    """Whether zeros follow the sound, and nothing else: a recorder had asked for more room than it needed.

    A muted call has zeros too, even mostly. So if a few places have nothing else, all of it is read.
    """
    for number in range(_PLACES):
        file.seek(position + max(0, size - position - _PIECE) * number // (_PLACES - 1))
        if any(file.read(_PIECE)):
            return False
    file.seek(position)
    while data := file.read(_BLOCK):
        if data.count(0) < len(data):
            return False
    return True


def _are_chunks(file: SourceFile, kind: _Kind, position: int, size: int) -> bool:
    """Whether the file goes on with chunks, to its end: texts, cue points, pictures."""
    position += -position % kind.align
    for _ in range(_CHUNKS):
        if position >= size:
            return True
        file.seek(position)
        data = file.read(kind.head)
        if len(data) < kind.head:
            return not any(data.strip(b"\0"))
        name, (length,) = data[:4], struct.unpack_from(kind.form, data, kind.name)
        if not all(0x20 <= letter < 0x7F for letter in name):
            return False
        position += max(kind.head, kind.head + length - kind.own)
        position += -position % kind.align
        if position > size + kind.align:
            return False
    return True
