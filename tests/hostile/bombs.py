"""Small files that ask for much: of memory, by what their heads announce, or of time, by what FFmpeg does with those heads.

Each was found by trying; the comments say what it cost before sttd had bounds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable


def wav(rate: int, samples: int) -> bytes:
    """8 bits, one channel."""
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, rate, 1, 8)
    return b"RIFF" + struct.pack("<I", 36 + samples) + b"WAVEfmt " + form + _chunk(b"data", bytes(samples))


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


def atom(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def full(name: bytes, *parts: bytes) -> bytes:
    return atom(name, bytes(4), *parts)


def _track(number: int, samples: int) -> bytes:
    """One whose table says: `samples` samples, all of one size, all in one chunk."""
    head = full(b"tkhd", struct.pack(">IIIII", 0, 0, number, 0, 1000), bytes(60))
    about = full(b"mdhd", struct.pack(">IIII", 0, 0, 8000, 2**31 - 1), b"\x55\xc4\0\0")
    kind = full(b"hdlr", bytes(4), b"soun", bytes(12), b"x\0")
    entry = atom(b"sowt", bytes(6), struct.pack(">H", 1), bytes(8), struct.pack(">HHHHI", 1, 16, 0, 0, 8000 << 16))
    table = atom(
        b"stbl",
        full(b"stsd", struct.pack(">I", 1), entry),
        full(b"stts", struct.pack(">III", 1, samples, 1)),
        full(b"stsc", struct.pack(">IIII", 1, 1, samples, 1)),
        full(b"stsz", struct.pack(">II", 1, samples)),
        full(b"stco", struct.pack(">II", 1, 100)),
    )
    return atom(b"trak", head, atom(b"mdia", about, kind, atom(b"minf", full(b"smhd", bytes(4)), table)))


def mp4(tracks: int, samples: int) -> bytes:
    movie = full(b"mvhd", struct.pack(">IIIIIH", 0, 0, 1000, 1000, 0x10000, 0x100), bytes(70), struct.pack(">I", 2))
    every = b"".join(_track(number + 1, samples) for number in range(tracks))
    return atom(b"ftyp", b"isom", bytes(4), b"isom") + atom(b"moov", movie, every) + atom(b"mdat", bytes(4000))


def flac(comments: Iterable[bytes]) -> bytes:
    told = [struct.pack("<I", len(each)) + each for each in comments]
    body = b"\0\0\0\0" + struct.pack("<I", len(told)) + b"".join(told)
    form = struct.pack(">HH", 4096, 4096) + bytes(6) + struct.pack(">Q", (8000 << 44) | (15 << 36) | 8000) + bytes(16)
    return b"fLaC\0" + struct.pack(">I", 34)[1:] + form + b"\x84" + struct.pack(">I", len(body))[1:] + body + bytes(999)


def mp3(frames: int) -> bytes:
    """ID3 with `frames` texts."""
    body = b"".join(b"TXXX\0\0\0\x0b\0\0\0%08d\0a" % number for number in range(frames))
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + body + b"\xff\xfb\x90\0" + bytes(413)


def wav_info(texts: int) -> bytes:
    body = b"INFO" + b"".join(_chunk(b"%04x" % (number % 65536), b"ab") for number in range(texts))
    return b"RIFF" + struct.pack("<I", len(body) + 12) + b"WAVE" + _chunk(b"LIST", body) + wav(8000, 800)[12:]


def nested_mp4(size: int) -> bytes:
    """Boxes in boxes, `size` bytes of nothing else."""
    boxes = b"".join(struct.pack(">I4s", size - 8 * level, b"udta") for level in range(size // 8))
    return atom(b"ftyp", b"isom", bytes(4), b"isom") + atom(b"moov", boxes)


def element(name: bytes, *parts: bytes) -> bytes:
    """Of Matroska, with its length in eight bytes."""
    body = b"".join(parts)
    return name + struct.pack(">Q", 2**56 | len(body)) + body


def nested_mkv(size: int) -> bytes:
    """Tags in tags (SimpleTag, which may hold others), `size` bytes of nothing else."""
    step = 10
    tags = b"".join(
        b"\x67\xc8" + struct.pack(">Q", 2**56 | (size - step * (level + 1))) for level in range(size // step)
    )
    tags = element(b"\x12\x54\xc3\x67", element(b"\x73\x73", tags))
    return element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x88matroska") + element(b"\x18\x53\x80\x67", tags)


# name: what makes it, and words of the reason
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "1 Hz.wav": (lambda: wav(1, 300_000), "sample rate is 1 Hz"),  # 9 GB
    "999 Hz.wav": (lambda: wav(999, 300_000), "sample rate is 999 Hz"),
    "1.8 GHz.wav": (lambda: wav(1_800_000_000, 64_000), "sample rate is 1,800,000,000 Hz"),  # hours
    "200 tracks.mp4": (lambda: mp4(200, 2**31 - 1), "MiB of memory"),  # 10 GB
    "1000 tracks.mp4": (lambda: mp4(1000, 10), "hundreds of tracks"),
    "nested.mp4": (lambda: nested_mp4(20_000_000), "no recording that can be read"),
    "nested.mkv": (lambda: nested_mkv(20_000_000), "no recording that can be read"),
}
# hours of computing within one call of FFmpeg; named by what is sorted in, one by one
ENDLESS: dict[str, Callable[[], bytes]] = {
    "comments.flac": lambda: flac(b"k%d=v" % number for number in range(300_000)),
    "one comment.flac": lambda: flac([b"k=v"] * 1_500_000),
    "texts.mp3": lambda: mp3(300_000),
    "info.wav": lambda: wav_info(1_500_000),
}
