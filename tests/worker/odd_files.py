"""Recordings as programs write them, and as damage, editing and joining leave them."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from sttd.part import SAMPLE_RATE
from tests import speech


def encode(
    path: Path, audio: np.ndarray, codec: str, form: str, rate: int = 44_100, channels: int = 1, **options
) -> Path:
    """What `speech.encode` has no suffix for. Two channels: the second has its own noise, so that no coding takes them for one."""
    audio = np.stack((audio, audio + np.random.default_rng(1).normal(0, 1e-3, len(audio))))[:channels]
    index_first = {"movflags": "faststart"} if form == "ipod" else {}
    with av.open(str(path), "w", format=form, options=index_first) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = ("mono", "stereo")[channels - 1]
        stream.bit_rate = options.pop("bit_rate", 64_000)
        stream.codec_context.options = {"strict": "-2"} | speech.QUICK.get(codec, {}) | options
        frame = av.AudioFrame.from_ndarray((audio.T.ravel() * 20_000).astype("<i2")[None], "s16", stream.layout.name)
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def joined(folder: Path, suffix: str, *pieces: Path) -> Path:
    path = folder / f"joined.{suffix}"
    path.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    return path


def cut(path: Path, share: float = 0.97) -> Path:
    with path.open("r+b") as file:
        file.truncate(round(path.stat().st_size * share))
    return path


def spoilt(path: Path) -> Path:
    """Zeros in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    path.write_bytes(data)
    return path


def undecodable(path: Path, target: Path, count: int, *, empty: bool = False) -> Path:
    """A copy whose `count` packets in the middle look well, and hold what no decoder takes, or of which it makes nothing."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    for place, size in packets[len(packets) // 2 :][:count]:
        assert place is not None
        if empty:
            data[place] |= 0xE0  # ALAC: the end of a packet
        else:
            data[place + 8 : place + size] = bytes(byte ^ 0xA5 for byte in data[place + 8 : place + size])
    target.write_bytes(data)
    return target


def halves(said: np.ndarray) -> list[tuple[int, np.ndarray]]:
    half = len(said) // 2
    return [(0, said[:half]), (1, said[half:])]


def blocks_of_4096(path: Path, said: np.ndarray) -> Path:
    """85.3 ms of 48 kHz, of which Matroska makes 85: as most programs but FFmpeg write FLAC."""
    return encode(path, said, "flac", "matroska", 48_000, frame_size="4096")


def flv_of_two_rates(folder: Path, said: np.ndarray) -> Path:
    pieces = [
        encode(folder / f"{rate}.flv", part, "aac", "flv", rate)
        for rate, (_, part) in zip((44_100, 22_050), halves(said), strict=True)
    ]
    return set_anew(folder, *pieces)


def cut_twice(path: Path) -> Path:
    """An edit list that plays the first 10 s twice: FFmpeg gives packets before the second time, which are decoded and dropped."""
    data = bytearray(path.read_bytes())
    at = data.find(b"elst")
    size = int.from_bytes(data[at - 4 : at], "big")
    (media,) = struct.unpack_from(">i", data, at + 16)
    entries = b"".join(struct.pack(">IiI", 10_000, place, 0x10000) for place in (media, media))
    made = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, 2) + entries
    assert data.find(b"mdat") < at, "no place of a sample moves"
    data[at - 4 : at - 4 + size] = made
    for name in (b"edts", b"trak", b"moov"):
        box = data.find(name) - 4
        struct.pack_into(">I", data, box, struct.unpack_from(">I", data, box)[0] + len(made) - size)
    path.write_bytes(data)
    return path


def with_empty_samples(path: Path) -> Path:
    """MP4 in whose first part each tenth sample has no bytes, and the one before it has both's."""
    data = bytearray(path.read_bytes())
    at = data.find(b"stsz") + 16
    (count,) = struct.unpack_from(">I", data, at - 4)
    for number in range(20, count // 2, 10):
        before, size = struct.unpack_from(">II", data, at + 4 * number)
        struct.pack_into(">II", data, at + 4 * number, before + size, 0)
    path.write_bytes(data)
    return path


def set_anew(folder: Path, *pieces: Path) -> Path:
    """FLV of a sender that went on with other settings: the tags of each piece behind those of the one before."""
    made, late = b"", 0
    for number, piece in enumerate(pieces):
        data, at, latest = piece.read_bytes(), 13, late
        made += b"" if number else data[:at]
        while at + 11 < len(data):
            size, stamp = (
                int.from_bytes(data[at + 1 : at + 4], "big"),
                int.from_bytes(data[at + 4 : at + 7], "big") + late,
            )
            made += data[at : at + 4] + stamp.to_bytes(3, "big") + data[at + 7 : at + 15 + size]
            at, latest = at + 15 + size, max(latest, stamp)
        late = latest + 23
    path = folder / "anew.flv"
    path.write_bytes(made)
    return path


def by_turns(folder: Path, said: np.ndarray, form: str, codec: str) -> Path:
    """Mono, stereo, and mono again."""
    half = said[: len(said) // 3]
    one, two = (encode(folder / f"{n}.{form}", half, codec, form, 44_100, n, bit_rate=192_000) for n in (1, 2))
    return joined(folder, form, one, two, one)
