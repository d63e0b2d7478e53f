"""What lies before a part is not decoded, and the part has the same samples: seen for each kind of file, and many places in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sttd.part import SAMPLE_RATE
from sttd.worker.audio import container, decoders, leaps, resample
from sttd.worker.audio.decoders import Memory
from sttd.worker.audio.source_file import SourceFile
from tests import speech
from tests.worker.odd_files import (
    blocks_of_4096,
    by_turns,
    cut,
    cut_twice,
    encode,
    flv_of_two_rates,
    halves,
    joined,
    spoilt,
    undecodable,
    with_empty_samples,
)
from tests.worker.test_audio import lag, open_it

WHOLE = (0.0, float("inf"))  # seconds that a part tells of
SECONDS = 16


@pytest.fixture(scope="module")
def said() -> np.ndarray:
    return speech.compose(seconds=SECONDS, seed=3, noise=3e-4).audio[: SECONDS * SAMPLE_RATE]


@pytest.fixture(autouse=True)
def soon(monkeypatch) -> None:
    """Short recordings will do."""
    monkeypatch.setattr(resample, "_WARM_MIX", 3.0)
    monkeypatch.setattr(leaps, "_LEAST", 16)
    for name, memory in decoders._NEVER_FORGETS.items():
        monkeypatch.setitem(decoders._NEVER_FORGETS, name, Memory(memory.prime, 128))


def read(path: Path, first: int = 0, own: tuple[float, float] = WHOLE) -> tuple[np.ndarray, list[str], tuple[int, int]]:
    """The samples, the warnings, and how many packets there were and how many of them a decoder had."""
    had = 0
    decode = decoders.Decoder.decode

    def counted(decoder, packet):
        nonlocal had
        had += 1
        return decode(decoder, packet)

    with pytest.MonkeyPatch.context() as patch, open_it(path) as stream:
        patch.setattr(decoders.Decoder, "decode", counted)
        blocks = [block for _, block in stream.blocks(first, own=own)]
        count = stream._sounds[0]._decoder.number
        return np.concatenate([np.zeros(0, np.float32), *blocks]), stream.warnings, (count, had)


def later(first: int) -> tuple[float, float]:
    """The seconds that a part tells of which begins there."""
    return first / SAMPLE_RATE, float("inf")


def same(path: Path, *, passes: bool = True, seed: int = 0) -> None:
    """A later part has the samples of a run from the beginning, wherever it begins; `passes`: and decodes little before it."""
    whole, told, _ = read(path)
    firsts = np.random.default_rng(seed).integers(1, len(whole), 2).tolist()
    for first in (*firsts, len(whole) * 9 // 10):
        found, warnings, (count, had) = read(path, first, later(first))
        assert np.array_equal(found, whole[first:]), first
        assert set(warnings) <= set(told)
        if passes and 0.8 < first / len(whole) < 0.95:
            assert had < 0.6 * count, (count, had)


KINDS = [
    ("wav", "pcm_s16le", "wav", 16_000), ("wav", "pcm_s24le", "wav", 44_100), ("wav", "pcm_f32le", "wav", 48_000),
    ("wav", "pcm_mulaw", "wav", 8_000), ("w64", "pcm_s16le", "w64", 44_100), ("aiff", "pcm_s16be", "aiff", 44_100),
    ("au", "pcm_s16be", "au", 22_050), ("caf", "pcm_s16le", "caf", 44_100), ("wav", "adpcm_ima_wav", "wav", 16_000),
    ("flac", "flac", "flac", 44_100), ("mka", "flac", "matroska", 44_100), ("m4a", "alac", "ipod", 44_100),
    ("wv", "wavpack", "wv", 44_100), ("tta", "tta", "tta", 44_100),
    ("mp3", "libmp3lame", "mp3", 44_100), ("mp3", "libmp3lame", "mp3", 16_000), ("mka", "libmp3lame", "matroska", 48_000),
    ("m4a", "aac", "ipod", 44_100), ("m4a", "aac", "ipod", 16_000), ("aac", "aac", "adts", 44_100), ("ts", "aac", "mpegts", 48_000),
    ("mka", "aac", "matroska", 44_100), ("ac3", "ac3", "ac3", 48_000), ("mka", "ac3", "matroska", 48_000),
    ("opus", "libopus", "ogg", 48_000), ("webm", "libopus", "webm", 48_000), ("ogg", "vorbis", "ogg", 44_100),
    ("ogg", "flac", "ogg", 16_000), ("wma", "wmav2", "asf", 44_100), ("wma", "wmav2", "asf", 16_000),
]  # fmt: skip
# not passed over: the container rounds, or the decoder draws noise from a table in which it goes on for ever
DECODED = {("wma", "wmav2"), ("mka", "flac")}
# beside each is one of the same codec, or of the same container
AKIN = {
    ("wav", "pcm_f32le", "wav", 48_000), ("w64", "pcm_s16le", "w64", 44_100), ("au", "pcm_s16be", "au", 22_050),
    ("mp3", "libmp3lame", "mp3", 16_000), ("mka", "libmp3lame", "matroska", 48_000), ("m4a", "aac", "ipod", 16_000),
    ("mka", "aac", "matroska", 44_100), ("mka", "ac3", "matroska", 48_000), ("ogg", "flac", "ogg", 16_000),
    ("wma", "wmav2", "asf", 16_000),
}  # fmt: skip


@pytest.mark.parametrize(
    ("suffix", "codec", "form", "rate"),
    [pytest.param(*kind, marks=[pytest.mark.ci] if kind in AKIN else []) for kind in KINDS],
)
def test_a_later_part_has_the_samples_of_a_run_from_the_beginning(tmp_path, said, suffix, codec, form, rate):
    """Of mono and of stereo; FFmpeg's Vorbis knows no mono."""
    channels = 2 if rate == 44_100 and suffix in ("wav", "flac", "mp3", "m4a", "aac", "ogg") else 1
    audio = np.tile(said, 2) if suffix in ("wv", "tta") else said  # whose packets are as long as a second
    path = encode(tmp_path / f"x.{suffix}", audio, codec, form, rate, channels)
    same(path, passes=(suffix, codec) not in DECODED, seed=rate)


ODD = {
    "a hole": lambda to, said: speech.encode(to / "x.mkv", said, gaps=[(8.0, 2.0)]),
    "a hole in MP4": lambda to, said: speech.encode(to / "x.m4a", said, 44_100, gaps=[(8.0, 2.0)]),
    "a small hole in MP4": lambda to, said: speech.encode(to / "x.m4a", said, 44_100, gaps=[(8.0, 0.05)]),
    "a late track": lambda to, said: speech.encode(to / "x.mp4", said, 48_000, delay=3.0),
    "a late track in Matroska": lambda to, said: speech.encode(to / "x.mkv", said, delay=0.5),
    "MPEG-TS with a hole": lambda to, said: speech.encode(to / "x.ts", said, 48_000, gaps=[(8.0, 1.0)]),
    "cut WAV": lambda to, said: cut(speech.encode(to / "x.wav", said)),
    "cut MP4": lambda to, said: cut(encode(to / "x.m4a", said, "aac", "ipod"), 0.7),
    "cut MP3": lambda to, said: cut(speech.encode(to / "x.mp3", said, 44_100)),
    "cut FLAC": lambda to, said: cut(speech.encode(to / "x.flac", said)),
    "fragments": lambda to, said: speech.encode(to / "x.m4a", said, 44_100, fragmented=True),
    "fragments, cut": lambda to, said: cut(speech.encode(to / "x.m4a", said, 44_100, fragmented=True)),
    "chained Ogg": lambda to, said: joined(to, "opus", *[speech.encode(to / f"{n}.opus", part) for n, part in halves(said)]),
    "joined WAV": lambda to, said: joined(to, "wav", *[speech.encode(to / f"{n}.wav", part) for n, part in halves(said)]),
    "joined MP3": lambda to, said: joined(to, "mp3", *[speech.encode(to / f"{n}.mp3", part) for n, part in halves(said)]),
    "joined MP3, mono and stereo": lambda to, said: joined(
        to, "mp3", *[speech.encode(to / f"{n}.mp3", said[n * 60_000 :][:60_000], 44_100, n % 2 + 1) for n in range(5)]
    ),
    "joined MP3 of two rates": lambda to, said: joined(
        to, "mp3", *[speech.encode(to / f"{n}.mp3", part, (44_100, 48_000)[n]) for n, part in halves(said)]
    ),
    "joined FLAC": lambda to, said: joined(to, "flac", *[speech.encode(to / f"{n}.flac", part) for n, part in halves(said)]),
    "VBR MP3": lambda to, said: encode(to / "x.mp3", said, "libmp3lame", "mp3", bit_rate=0, q="4"),
    "MP3 of 8 kbit/s": lambda to, said: encode(to / "x.mp3", said, "libmp3lame", "mp3", 16_000, bit_rate=8_000),
    "spoilt MP3": lambda to, said: spoilt(speech.encode(to / "x.mp3", said, 44_100)),
    "FLAC in milliseconds": lambda to, said: blocks_of_4096(to / "x.mka", said),
    "AC-3, mono and stereo by turns": lambda to, said: by_turns(to, said, "ac3", "ac3"),
    "E-AC-3, mono and stereo by turns": lambda to, said: by_turns(to, said, "eac3", "eac3"),
    "MP4 with a stretch twice": lambda to, said: cut_twice(speech.encode(to / "x.mp4", said, 44_100)),
    "FLV with other settings": flv_of_two_rates,
    "channels that cancel each other": lambda to, said: speech.encode(to / "x.flac", np.stack((said, -said)), 44_100),
}  # fmt: skip


# beside each is one that is odd in the same way, and more so
ODD_ALIKE = {"a late track", "cut FLAC", "fragments", "joined WAV", "joined MP3", "AC-3, mono and stereo by turns"}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.ci] if kind in ODD_ALIKE else []) for kind in ODD]
)
def test_so_has_one_of_a_recording_that_is_not_as_it_should_be(tmp_path, said, kind):
    """Whatever is odd about it, passing over it comes to the same samples, or is not done."""
    same(ODD[kind](tmp_path, said), passes=False, seed=len(kind))


@pytest.mark.parametrize(("suffix", "count"), [("m4a", 1), ("m4a", 3), ("aac", 3)])
def test_a_packet_that_cannot_be_decoded_is_as_long_as_it_would_have_been(tmp_path, said, suffix, count):
    """What follows stays in its place, and a part behind it, which does not see the damage, has the same samples."""
    well = speech.encode(tmp_path / f"well.{suffix}", said, 44_100)
    path = undecodable(well, tmp_path / f"spoilt.{suffix}", count)
    whole, told, _ = read(path)
    assert any(f"{count} damaged packet" in warning for warning in told)
    assert len(whole) == len(read(well)[0])
    first = len(whole) * 9 // 10
    found, warnings, _ = read(path, first, later(first))
    assert np.array_equal(found, whole[first:])
    assert warnings == []


def test_so_is_one_of_which_a_decoder_makes_nothing(tmp_path, said):
    """ALAC's does not call it damaged: what followed came 0.09 s too early, but not in a part that did not decode it."""
    well = encode(tmp_path / "well.m4a", said, "alac", "ipod")
    path = undecodable(well, tmp_path / "spoilt.m4a", 1, empty=True)
    whole, told, _ = read(path)
    assert told == ["1 damaged packet was left out, at 0:00:08"]
    assert len(whole) == len(read(well)[0])
    first = len(whole) * 9 // 10
    found, _, _ = read(path, first, later(first))
    assert np.array_equal(found, whole[first:])


@pytest.mark.parametrize(
    ("suffix", "codec", "form", "rate", "count"),
    [("aac", "aac", "adts", 44_100, 60), ("ac3", "ac3", "ac3", 48_000, 60), ("tta", "tta", "tta", 44_100, 2)],
)  # fmt: skip
def test_a_part_whose_first_packets_cannot_be_decoded_has_the_samples_of_a_run_from_the_beginning(
    tmp_path, said, suffix, codec, form, rate, count
):
    """It has decoded no packet next to them whose form their silence could have."""
    well = encode(tmp_path / f"well.{suffix}", said, codec, form, rate)
    path = undecodable(well, tmp_path / f"spoilt.{suffix}", count)
    whole, told, _ = read(path)
    assert "damaged packets" in told[0]
    assert len(whole) == len(read(well)[0])
    for share in np.linspace(0.52, 0.76, 9):
        first = round(len(whole) * share)
        found, _, _ = read(path, first, later(first))
        assert np.array_equal(found, whole[first:]), share


def test_samples_of_no_bytes_are_counted_in_each_part_alike(tmp_path, said):
    """Where a fresh decoder begins depends on the count; a later part has it of the index."""
    path = with_empty_samples(encode(tmp_path / "x.m4a", np.tile(said, 2), "aac", "ipod"))
    whole, _, _ = read(path)
    first = round(len(whole) * 0.55)
    assert np.array_equal(read(path, first, later(first))[0], whole[first:])


def test_a_part_of_which_all_is_damaged_is_silent_where_the_recording_is_well_before_it(tmp_path, said):
    """A download that was broken off, with zeros behind it: the whole is transcribed, and so is its last part."""
    path = encode(tmp_path / "x.m4a", said, "aac", "ipod")
    data = path.read_bytes()
    kept = len(data) * 6 // 10
    path.write_bytes(data[:kept] + bytes(len(data) - kept))
    whole, told, _ = read(path)
    first = len(whole) * 9 // 10
    found, warnings, (count, had) = read(path, first, later(first))
    assert had < count / 2
    assert np.array_equal(found, whole[first:])
    assert "damaged packets" in told[0]
    assert "damaged packets" in warnings[0]


@pytest.mark.parametrize("suffix", ["wav", "m4a", "aiff"])
def test_where_the_index_is_exact_what_lies_before_is_not_even_read(tmp_path, said, suffix):
    codec, form = {"wav": ("pcm_s16le", "wav"), "m4a": ("aac", "ipod"), "aiff": ("pcm_s16be", "aiff")}[suffix]
    path = encode(tmp_path / f"x.{suffix}", said, codec, form)
    reads = []
    read_file = SourceFile.read

    def counted(file, count=-1):
        data = read_file(file, count)
        reads.append(len(data))
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SourceFile, "read", counted)
        patch.setattr(container, "_BUFFER", 4096)
        read(path, len(said) * 9 // 10, later(len(said) * 9 // 10))
    assert sum(count for count in reads if count <= 4096) < 0.5 * path.stat().st_size  # the others are of the head


def test_each_part_tells_of_the_damage_in_its_own_seconds_and_no_other_does(tmp_path, said):
    path = speech.encode(tmp_path / "x.mp3", said, 44_100)
    data = bytearray(path.read_bytes())
    for share in (0.3, 0.7):
        data[int(len(data) * share) : int(len(data) * share) + 2000] = bytes(2000)
    path.write_bytes(data)
    _, whole, _ = read(path)
    assert "first at 0:00:05" in whole[0]
    spans = [(0.0, 7.0), (7.0, 9.0), (9.0, float("inf"))]
    found = [read(path, round(begins * SAMPLE_RATE), (begins, ends))[1] for begins, ends in spans]
    counts = [int(told[0].split()[0]) if told else 0 for told in found]
    assert counts[1] == 0
    assert counts[0] > 0 < counts[2]
    assert sum(counts) == int(whole[0].split()[0])
    assert "at 0:00:11" in found[2][0]


def test_a_decoder_that_never_forgets_begins_afresh_at_fixed_packets_and_a_clip_has_none(tmp_path, said, monkeypatch):
    """So each run has the same noise; one of less than three minutes has the very samples of FFmpeg."""
    path = encode(tmp_path / "x.m4a", said, "aac", "ipod")
    often, _, _ = read(path)
    monkeypatch.setitem(decoders._NEVER_FORGETS, "aac", Memory(4, decoders._RESTART))
    once, _, _ = read(path)
    monkeypatch.setitem(decoders._NEVER_FORGETS, "aac", Memory(0))
    plain, _, _ = read(path)
    assert np.array_equal(once, plain)
    assert not np.array_equal(once, often), "FFmpeg's encoder leaves noise to the decoder"
    assert np.abs(once - often).max() < 0.3 * np.abs(once).max()


def test_a_fresh_decoder_has_the_settings_that_came_last(tmp_path, said):
    """It began with the file's first ones, and all that followed was damaged or noise."""
    path = flv_of_two_rates(tmp_path, said)
    found, told, _ = read(path)
    assert told == []
    assert len(found) == pytest.approx(len(said), abs=0.2 * SAMPLE_RATE)
    assert lag(found[len(found) // 2 :], said[len(said) // 2 :])[1] > 0.9


def test_an_attempt_that_goes_on_in_a_later_part_tells_of_the_damage_in_it_before(tmp_path, said):
    """What is passed over ends where the seconds begin that are its own."""
    path = spoilt(speech.encode(tmp_path / "x.m4a", said, 44_100))
    own = (6.0, float("inf"))
    whole, told, _ = read(path, 6 * SAMPLE_RATE, own)
    found, warnings, _ = read(path, 13 * SAMPLE_RATE, own)
    assert "damaged packet" in told[0]
    assert warnings == told
    assert np.array_equal(found, whole[7 * SAMPLE_RATE :])


@pytest.mark.parametrize(
    ("first", "own", "count"), [(0, WHOLE, 5), (0, (0.0, 10.3), 2), (0, (10.3, 20.0), 3), (15, (10.3, 20.0), 3)]
)
def test_what_is_no_number_is_told_of_by_the_part_in_whose_seconds_it_is(tmp_path, said, first, own, count):
    audio = said.copy()
    for second, many in ((10.2, 2), (10.4, 3)):
        audio[round(second * SAMPLE_RATE) :][:many] = np.nan
    path = speech.encode(tmp_path / "x.wav", audio, form="f32.wav")
    assert read(path, first * SAMPLE_RATE, own)[1] == [
        f"{count} samples were no numbers, or far too loud, and were set right"
    ]
