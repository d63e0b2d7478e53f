"""Packets of MPEG transport streams (ISO/IEC 13818-1, 2.4.3), looked at in a few places of a file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

from sttd.worker.audio.source_file import SourceFile

_SIZES = (188, 192, 204)  # bytes: plain, with 4 of time before them (Blu-ray, AVCHD), with 16 of correction behind
_TABLES, _STUFFING = 0x20, 0x1FFF  # PIDs below the first and from the second on carry neither sound nor picture
_PROGRAMME = 2  # table_id of a programme map, which names the tracks
_ENOUGH = 2**20  # bytes in which the tables come several times: ten times a second, by ETSI TR 101 290 twice at least
_PIECE = 64 * 1024  # bytes of a place
_STRETCHES = 64
_LONG_PIECE = 256 * 1024  # bytes that have some sound of each track that is heard in a place: 0.1 s of 20 Mbit/s
_TURNS = 4  # changes between two programmes in one recording, at most
_SOUND = (*range(0xC0, 0xE0), 0xBD, 0xFD)  # stream_id: MPEG, private (AC-3, subtitles), extended


def places(file: SourceFile, count: int, length: int = _PIECE) -> Iterator[tuple[int, bytes]]:
    """`count` pieces of a file, of `length` bytes each, spread evenly from its beginning on, each with its place.

    Raises:
        OSError: it cannot be read.
    """
    size = file.seek(0, os.SEEK_END)
    for each in range(count):
        place = size * each // count
        file.seek(place)
        yield place, file.read(length)


def one_after_the_other(file: SourceFile, first: int, second: int) -> bool:
    """Whether the packets with these two PIDs are in different stretches of a file, as of two programmes that follow each other.

    Two languages side by side take turns too, but many times a second: a piece may then have one of them alone, and another piece
    the other one.

    Raises:
        OSError: it cannot be read.
    """
    here, step = file.tell(), max(1, file.seek(0, os.SEEK_END) // _STRETCHES)
    pieces = places(file, _STRETCHES, min(step, _LONG_PIECE))
    found = [{pid_of(packet) for packet in packets(data)} & {first, second} for _, data in pieces]
    file.seek(here)
    heard = [each for each in found if each]
    both, turns = heard.count({first, second}), sum(one != two for one, two in itertools.pairwise(heard))
    least = min(sum(each in numbers for numbers in heard) for each in (first, second))
    return turns <= _TURNS and both <= _TURNS // 2 and both < least  # one may have an end and a beginning


def packets(data: bytes) -> Iterator[bytes]:
    """Each whole packet of 188 bytes with a payload; none where it is no transport stream."""
    size, first = _layout(data)
    for at in range(first, len(data) - 187, size):
        packet = data[at : at + 188]
        if packet[0] == 0x47 and packet[3] & 0x10 and pid_of(packet) < _STUFFING:
            yield packet


def _layout(data: bytes) -> tuple[int, int]:
    """Bytes from one packet to the next, and the place of the first one."""
    for size in _SIZES:
        for at in range(size):
            if data[at : at + 5 * size : size] == b"GGGGG":
                return size, at
    return _SIZES[0], len(data)


def pid_of(packet: bytes) -> int:
    """Its PID."""
    return (packet[1] & 0x1F) << 8 | packet[2]


def is_scrambled(packet: bytes) -> bool:
    return bool(packet[3] & 0xC0)


def carries(packet: bytes) -> bool:
    """Whether it is of sound, pictures or the like, and not of a table."""
    return pid_of(packet) >= _TABLES


def tables(file: SourceFile, place: int) -> bytes:
    """The packets of the tables that name the tracks, from that place of the file on.

    Raises:
        OSError: it cannot be read.
    """
    file.seek(place)
    data = file.read(_ENOUGH)
    found = list(packets(data))
    maps = {pid_of(packet) for packet in found if _begins_map(packet)}
    size, _ = _layout(data)
    before, behind = (bytes(4) if size == 192 else b""), (bytes(16) if size == 204 else b"")
    return b"".join(before + packet + behind for packet in found if pid_of(packet) in maps | {0})


def _begins_map(packet: bytes) -> bool:
    return bool(packet[1] & 0x40) and _body(packet)[:2] == bytes([0, _PROGRAMME])


def _body(packet: bytes) -> bytes:
    return packet[4 + (1 + packet[4] if packet[3] & 0x20 else 0) :]


def numbers_of_sound(data: bytes) -> set[int]:
    """The PIDs of packets in which a piece of sound begins, or of something else that is private to the sender."""
    found = set()
    for packet in packets(data):
        body = _body(packet)
        if packet[1] & 0x40 and body[:3] == b"\0\0\1" and len(body) > 3 and body[3] in _SOUND:
            found.add(pid_of(packet))
    return found
