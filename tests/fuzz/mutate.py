"""Seeds: a short recording in each container. Mutations: what damage, and malice, do to bytes."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator

from tests.hostile import media

# name: container and coding of FFmpeg, and the sample format
CONTAINERS = {
    "aac": ("adts", "aac", "fltp"),
    "ac3": ("ac3", "ac3", "fltp"),
    "aiff": ("aiff", "pcm_s16be", "s16"),
    "asf": ("asf", "wmav2", "fltp"),
    "au": ("au", "pcm_s16be", "s16"),
    "avi": ("avi", "pcm_s16le", "s16"),
    "caf": ("caf", "pcm_s16le", "s16"),
    "flac": ("flac", "flac", "s16"),
    "flv": ("flv", "libmp3lame", "fltp"),
    "m4a": ("ipod", "aac", "fltp"),
    "mka": ("matroska", "aac", "fltp"),
    "mov": ("mov", "pcm_s16le", "s16"),
    "mp3": ("mp3", "libmp3lame", "fltp"),
    "mp4": ("mp4", "aac", "fltp"),
    "mpg": ("mpeg", "mp2", "s16"),
    "ogg": ("ogg", "flac", "s16"),
    "opus": ("ogg", "libopus", "flt"),
    "ts": ("mpegts", "aac", "fltp"),
    "tta": ("tta", "tta", "s16"),
    "w64": ("w64", "pcm_s16le", "s16"),
    "wav": ("wav", "pcm_s16le", "s16"),
    "webm": ("webm", "libopus", "flt"),
    "wv": ("wv", "wavpack", "s16p"),
}
_EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_HEAD = 4096  # bytes in which most of what a demuxer believes stands


def seed(name: str) -> bytes:
    """An unharmed recording."""
    container, codec, form = CONTAINERS[name]
    rate = 44_100 if container == "flv" else 48_000 if codec in {"ac3", "libopus", "mp2"} else 16_000
    return media.tracks(container, codec, form, rate)


def mutants(name: str, count: int, number: int) -> Iterator[bytes]:
    """`count` mutants of a container; the same ones for the same `number`."""
    whole = seed(name)
    for each in range(count):
        chance = random.Random(f"{name} {number} {each}")
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
            chance.choice(_HARMS)(data, chance)
        yield bytes(data)


def _place(data: bytearray, chance: random.Random) -> int:
    """Mostly in the head or the tail: a byte of sound that is wrong is only a click."""
    return chance.choice((
        chance.randrange(min(_HEAD, len(data))), len(data) - 1 - chance.randrange(min(_HEAD, len(data))),
        chance.randrange(64) % len(data), chance.randrange(len(data)),
    ))  # fmt: skip


def _flip(data: bytearray, chance: random.Random) -> None:
    data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _noise(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    data[at : at + 32] = chance.randbytes(min(chance.randint(1, 32), len(data) - at))


def _extreme(data: bytearray, chance: random.Random) -> None:
    """A size, a count or a rate that is none."""
    at, form = _place(data, chance), chance.choice(("<I", ">I", "<H", ">H", "<Q", ">Q"))
    value = struct.pack(form, chance.choice(_EXTREMES) & (2 ** (8 * struct.calcsize(form)) - 1))
    data[at : at + len(value)] = value


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[1 + _place(data, chance) :]


def _drop(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    del data[at : at + chance.choice((1, 4, 188, 2048))]
    data += b"\0" * (not data)


def _repeat(data: bytearray, chance: random.Random) -> None:
    at, size = _place(data, chance), chance.choice((4, 64, 1024, 8192))
    data[at:at] = data[at : at + size] * chance.choice((1, 1, 2, 50))


_HARMS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _noise,
    _extreme,
    _extreme,
    _cut,
    _drop,
    _repeat,
)
