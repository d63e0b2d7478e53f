"""A protected recording is a failure with the word, never noise or nothing as a transcript."""

import random

import av
import numpy as np
import pytest

from sttd.part import Cause
from tests import speech
from tests.worker.test_audio import decode, failure
from tests.worker.test_lengths import write

CODEC_LIST = bytes.fromhex("4052d1861d31d011a3a400a0c90348f6")  # an object of ASF that can be missed


@pytest.fixture(scope="module")
def said():
    return speech.compose(["english"]).audio


def is_protected(path):
    failed = failure(path)
    return (failed.cause, failed.retriable) == (Cause.BAD_FILE, False) and "is protected by " in failed.message


@pytest.mark.parametrize("kind", [b"drms", b"enca", b"aavd"])
def test_apples_audibles_and_other_protected_mp4_is_told(tmp_path, said, kind):
    path = speech.encode(tmp_path / "x.m4a", said)
    data = path.read_bytes()
    at = data.index(b"mp4a", data.index(b"stsd"))
    path.write_bytes(data[:at] + kind + data[at + 4 :])
    assert is_protected(path)


@pytest.mark.parametrize(
    "name", ["fbb3112223bdd211b4b700a0c955fc6e", "14e68a292226174cb935dae07ee9289c", "338505438169e6499b74ad12cb86d58c"]
)
def test_windows_media_with_a_key_is_told(tmp_path, said, name):
    path = write(tmp_path / "x.wma", said, "asf", "wmav2", 44_100)
    data = path.read_bytes()
    assert CODEC_LIST in data[:5000]
    path.write_bytes(data.replace(CODEC_LIST, bytes.fromhex(name), 1))
    assert is_protected(path)


def scrambled(data, share):
    """A transport stream whose packets are scrambled from the given part on."""
    draw, data = random.Random(1), bytearray(data)
    for at in range(round(share * len(data) / 188) * 188, len(data), 188):
        if (data[at + 1] & 0x1F) << 8 | data[at + 2] in range(0x100, 0x1FFF):
            first = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
            data[at + 3] |= 0x80
            data[first : at + 188] = draw.randbytes(at + 188 - first)
    return bytes(data)


def test_scrambled_television_is_told(tmp_path, said):
    path = write(tmp_path / "x.ts", said, "mpegts", "mp2", 48_000)
    data = path.read_bytes()
    path.write_bytes(scrambled(data, 0.0))
    assert is_protected(path)
    path.write_bytes(scrambled(data, 0.5))
    assert len(decode(path)[0]) > 0.4 * len(said), "what is clear is heard"


def test_a_scrambled_dvd_is_told(tmp_path, said):
    path = write(tmp_path / "x.vob", said, "vob", "ac3", 48_000)
    data = bytearray(path.read_bytes())
    for at in range(0, len(data) - 24, 2048):
        if data[at + 17] == 0xBD and at % 4096:
            data[at + 20] |= 0x30
    path.write_bytes(data)
    assert is_protected(path)


def test_an_encrypted_webm_is_told(tmp_path, said):
    """As browsers' protected media: the encoding is of type encryption, in the track of the sound."""
    path = write(tmp_path / "x.webm", said, "webm", "libopus", 48_000)
    data = path.read_bytes()
    kind = data.index(b"\x83\x81\x02")
    at = data.index(b"OpusHead", kind) + 8
    path.write_bytes(data[:at] + b"\x50\x33\x81\x01\x50\x35" + data[at + 6 :])
    assert is_protected(path)


def shuffled(path, source, clear):
    """All packets but the first ones are noise: encrypted in a way that nothing tells of, or damaged."""
    draw = random.Random(3)
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        track = old.streams.audio[0]
        copy = new.add_stream_from_template(track)
        for number, packet in enumerate(packet for packet in old.demux(track) if packet.dts is not None):
            again = packet if number < clear else av.Packet(draw.randbytes(packet.size))
            again.pts, again.dts, again.time_base, again.stream = packet.pts, packet.dts, packet.time_base, copy
            new.mux(again)
    return path


def test_a_recording_of_which_nearly_all_packets_are_damaged_is_a_failure(tmp_path, said, monkeypatch):
    source = speech.encode(tmp_path / "y.m4a", np.tile(said, 6))
    path = shuffled(tmp_path / "x.mka", source, 20)
    failed = failure(path)
    assert (failed.cause, "nearly nothing of the sound can be decoded" in failed.message) == (Cause.BAD_FILE, True)
    monkeypatch.setattr("sttd.worker.audio.recording._WORTH", 1.0)
    heard, warnings = decode(path)
    assert len(heard) > speech.RATE, "a minute without damage is worth a transcript"
    assert "damaged packets were left out" in warnings[0]


@pytest.mark.parametrize(
    "form", [("mov", "aac"), ("matroska", "aac"), ("asf", "wmav2"), ("mpegts", "mp2"), ("vob", "ac3")]
)
def test_what_is_not_protected_is_heard(tmp_path, said, form):
    assert len(decode(write(tmp_path / "x.bin", said, *form, 48_000))[0]) > 0.9 * len(said)
