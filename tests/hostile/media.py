"""Recordings of every shape as bytes, good ones and ones broken at a known place."""

from __future__ import annotations

import functools
import struct
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests import speech

ENGLISH, SECOND, THAI = "clip09", "clip04", "clip03"  # short ones; what is said in them is known


def made(write: Callable[[Path], object], suffix: str) -> bytes:
    """What `write` puts into a file of that suffix."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x.{suffix}"
        write(path)
        return path.read_bytes()


@functools.cache
def good(
    kind: str = "flac", sample: str = ENGLISH, rate: int = 16_000, channels: int = 1, times: int = 1, **how
) -> bytes:
    """A recording of `times` a sample, as the suffix `kind` says; `how` as in `speech.encode`."""
    audio = np.concatenate([speech.sample(sample)] * times)
    return made(lambda path: speech.encode(path, audio, rate, channels, **how), kind)


def of(audio: np.ndarray, kind: str = "flac", rate: int = 16_000, **how) -> bytes:
    return made(lambda path: speech.encode(path, audio, rate, **how), kind)


def cut(data: bytes, at: float) -> bytes:
    """The beginning: so many bytes, or below 1 such a part of all."""
    return data[: int(at if at >= 1 else len(data) * at)]


@functools.cache
def tracks(
    container: str,
    codec: str,
    form: str = "s16",
    rate: int = 16_000,
    layout: str = "mono",
    samples: Sequence[str] = (ENGLISH,),
    languages: Sequence[str] = (),
    **options: str,
) -> bytes:
    """One audio track a sample, in the container and coding that are named."""

    def write(path: Path) -> None:
        with av.open(str(path), "w", format=container, options=options) as file:
            streams = [file.add_stream(codec, rate=rate, layout=layout, format=form) for _ in samples]
            for stream in streams:
                stream.bit_rate = 64_000  # for codings that need one
            for stream, language in zip(streams, languages, strict=False):
                stream.metadata["language"] = language
            for stream, name in zip(streams, samples, strict=True):
                for frame in _frames(speech.sample(name), form, layout, rate, stream.codec_context.frame_size):
                    file.mux(stream.encode(frame))
                file.mux(stream.encode(None))

    return made(write, "bin")


def _frames(audio: np.ndarray, form: str, layout: str, rate: int, size: int) -> list[av.AudioFrame]:
    resampler = av.AudioResampler(form, layout, rate, frame_size=size or 1024)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio[None]), "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = speech.RATE, 0, Fraction(1, speech.RATE)
    return [*resampler.resample(frame), *resampler.resample(None)]


def picture_only(container: str) -> bytes:
    """A cover in the place of a recording."""

    def write(path: Path) -> None:
        with av.open(str(path), "w", format=container) as file:
            stream = file.add_stream("mjpeg", rate=1)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
            stream.disposition = av.stream.Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            file.mux(stream.encode(frame.reformat(format="yuvj420p")))
            file.mux(stream.encode(None))

    return made(write, "bin")


def subtitles_only() -> bytes:
    """A Matroska file whose only track is text."""
    track = ebml(0xD7, b"\x01") + ebml(0x73C5, b"\x01") + ebml(0x83, b"\x11") + ebml(0x86, b"S_TEXT/UTF8")
    cluster = ebml(0xE7, b"\x00") + ebml(0xA3, b"\x81\x00\x00\x80hello")
    head = ebml(0x1A45DFA3, ebml(0x4282, b"matroska"))
    info = ebml(0x1549A966, ebml(0x2AD7B1, struct.pack(">I", 1_000_000)))
    return head + ebml(0x18538067, info + ebml(0x1654AE6B, ebml(0xAE, track)) + ebml(0x1F43B675, cluster))


def endless_nesting() -> bytes:
    """A Matroska file of 2,000 groups of tags, each in the other."""
    body = b""
    for _ in range(2_000):
        body = ebml(0x67C8, body)
    return ebml(0x1A45DFA3, ebml(0x4282, b"matroska")) + ebml(0x18538067, ebml(0x1254C367, ebml(0x7373, body)))


def ebml(number: int, body: bytes) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8) + struct.pack(">Q", len(body) | 1 << 56) + body


def wav(
    audio: bytes | None = None,
    *,
    tag: int = 1,
    channels: int = 1,
    rate: int = 16_000,
    bits: int = 16,
    claim: int | None = None,
) -> bytes:
    """A RIFF WAVE file with the header that is asked for, sound or not; `claim`: bytes of sound that it says it has."""
    data = pcm16() if audio is None else audio
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels & 0xFFFF, rate, min(rate * block, 2**32 - 1), block & 0xFFFF, bits)
    length = len(data) if claim is None else claim
    head = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", length)
    return b"RIFF" + struct.pack("<I", min(len(head) + length, 2**32 - 1)) + head + data


def pcm16(sample: str = ENGLISH) -> bytes:
    return (speech.sample(sample) * 32767).astype("<i2").tobytes()


def floats(audio: np.ndarray) -> bytes:
    return wav(audio.astype("<f4").tobytes(), tag=3, bits=32)


def au(rate: int = 16_000, channels: int = 1, coding: int = 3) -> bytes:
    return struct.pack(">4sIIIII", b".snd", 24, 0xFFFFFFFF, coding, rate, channels) + pcm16()


def aiff(rate: bytes) -> bytes:
    """`rate`: ten bytes, an 80-bit float."""
    comm = struct.pack(">hIh", 1, 16_000, 16) + rate
    body = b"AIFFCOMM" + struct.pack(">I", len(comm)) + comm
    body += b"SSND" + struct.pack(">III", 32_008, 0, 0) + bytes(32_000)
    return b"FORM" + struct.pack(">I", len(body)) + body


def caf(rate: float, channels: int = 1) -> bytes:
    desc = struct.pack(">d4sIIIII", rate, b"lpcm", 0, 2 * channels, 1, channels, 16)
    sound = bytes(4) + bytes(32_000)
    return b"caff\0\1\0\0desc" + struct.pack(">q", 32) + desc + b"data" + struct.pack(">q", len(sound)) + sound


def flac_with(rate: int | None = None, samples: int | None = None) -> bytes:
    """A good FLAC file whose head says something else: the sample rate (20 bits), the number of samples (36 bits)."""
    data = bytearray(good())
    word = int.from_bytes(data[18:26])
    if rate is not None:
        word = word & ~(0xFFFFF << 44) | rate << 44
    if samples is not None:
        word = word & ~(2**36 - 1) | samples
    data[18:26] = word.to_bytes(8)
    return bytes(data)


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    """The first `old` replaced; it must be there."""
    assert old in data, old
    return data.replace(old, new, 1)


def atom(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def nested(depth: int) -> bytes:
    """An MP4 file of atoms in atoms."""
    body = b""
    for _ in range(depth):
        body = atom(b"udta", body)
    return atom(b"ftyp", b"isom\0\0\0\0isom") + atom(b"moov", body)


def mov_elsewhere(path: str) -> bytes:
    """A QuickTime file whose sound lies in another one: its data reference is an alias that names it."""
    data = good("mov")
    where = data.index(b"dref") - 4
    size = struct.unpack(">I", data[where : where + 4])[0]
    name = path.encode()
    entry = atom(b"alis", bytes(4) + _alias(name))
    dref = atom(b"dref", bytes(4) + struct.pack(">I", 1) + entry)
    grown = bytearray(data[:where] + dref + data[where + size :])
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        _grow(grown, parent, where, len(dref) - size)
    return bytes(grown)


def _alias(path: bytes) -> bytes:
    """As FFmpeg reads it: 10 bytes, volume name, 12, file name, 16, levels, 16, then typed fields: 2 is the path."""
    return (
        bytes(10) + b"\x04disk" + bytes(23) + bytes(12) + b"\x06secret" + bytes(57) + bytes(16) + bytes(4) + bytes(16)
        + struct.pack(">HH", 2, len(path)) + path + b"\0" * (len(path) % 2) + struct.pack(">H", 0xFFFF)
    )  # fmt: skip


def _grow(data: bytearray, name: bytes, before: int, by: int) -> None:
    """Make an atom that encloses `before` larger."""
    at = data.rindex(name, 0, before) - 4
    data[at : at + 4] = struct.pack(">I", struct.unpack(">I", data[at : at + 4])[0] + by)


def avi_with_playlist(url: str) -> bytes:
    """An AVI file whose subtitle track (GAB2) is an HLS playlist: FFmpeg reads the text with a demuxer of its own."""
    text = f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\n{url}\n#EXT-X-ENDLIST\n".encode()
    gab2 = b"GAB2\0" + struct.pack("<HIH", 2, 0, 0) + struct.pack("<HI", 4, len(text)) + text
    main = struct.pack("<14I", 200_000, 0, 0, 0x10, 1, 0, 2, 0, 32, 32, 0, 0, 0, 0)
    sound = struct.pack(
        "<4s4sIHHIIIIIIII8x", b"auds", b"\1\0\0\0", 0, 0, 0, 0, 2, 32_000, 0, len(pcm16()) // 2, 0, 0, 2
    )
    form = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    words = struct.pack("<4s4sIHHIIIIIIII8x", b"txts", b"\0\0\0\0", 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0)
    heads = _list(b"strl", _chunk(b"strh", sound) + _chunk(b"strf", form))
    heads += _list(b"strl", _chunk(b"strh", words) + _chunk(b"strf", b""))
    movi = _chunk(b"01tx", gab2) + _chunk(b"00wb", pcm16())
    body = b"AVI " + _list(b"hdrl", _chunk(b"avih", main) + heads) + _list(b"movi", movi)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _list(name: bytes, body: bytes) -> bytes:
    return _chunk(b"LIST", name + body)


def id3(frames: bytes = b"", claim: int | None = None) -> bytes:
    """An ID3v2.3 tag; `claim`: the length that it says it has."""
    size = len(frames) if claim is None else claim
    return b"ID3\3\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + frames


def id3_frame(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">I", len(body)) + b"\0\0" + body
