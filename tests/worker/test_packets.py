"""Ogg files one behind the other in one file, as of a radio that goes from speech to music: FFmpeg refuses another head."""

import av
import numpy as np
import pytest

from tests import speech
from tests.worker.odd_files import encode
from tests.worker.test_audio import decode, lag, open_it
from tests.worker.test_passing import later, read

SECONDS = 6
NEXT = [
    ("vorbis", "vorbis", 22_050, 2), ("vorbis", "libopus", 48_000, 1), ("libopus", "libopus", 48_000, 2),
    ("flac", "libopus", 48_000, 1), ("vorbis", "vorbis", 44_100, 2),
]  # fmt: skip


@pytest.fixture(scope="module")
def said():
    return speech.compose(seconds=SECONDS, seed=4).audio[: SECONDS * speech.RATE]


def ogg(path, audio, codec, rate, channels, **options):
    return encode(path, audio, codec, "ogg", rate, channels, **options)


def first_of(codec):
    return {"vorbis": (44_100, 2), "libopus": (48_000, 1), "flac": (44_100, 1)}[codec]


@pytest.mark.parametrize(("first", "second", "rate", "channels"), NEXT)
def test_a_further_ogg_file_with_another_head_is_heard_to_its_end(tmp_path, said, first, second, rate, channels):
    alone = (
        ogg(tmp_path / "a.ogg", said, first, *first_of(first)),
        ogg(tmp_path / "b.ogg", said, second, rate, channels),
    )
    path = tmp_path / "x.ogg"
    path.write_bytes(b"".join(each.read_bytes() for each in (*alone, alone[0])))
    heard, warnings = decode(path)
    before, behind = (decode(each)[0] for each in alone)
    assert abs(len(heard) - 2 * len(before) - len(behind)) < speech.RATE / 10
    assert warnings == []
    found = heard[len(before) : len(before) + len(behind)]
    assert np.dot(found, found) == pytest.approx(np.dot(behind, behind), rel=0.05)
    with open_it(path) as stream:
        assert stream.duration is None


def test_a_part_that_begins_in_a_further_ogg_file_has_the_samples_of_the_whole(tmp_path, said):
    path = tmp_path / "x.ogg"
    files = ogg(tmp_path / "a.ogg", said, "vorbis", 44_100, 2), ogg(tmp_path / "b.ogg", said, "flac", 16_000, 1)
    path.write_bytes(b"".join(each.read_bytes() for each in files))
    whole, *_ = read(path)
    for share in (3, 6, 9):
        at = len(whole) * share // 10
        assert np.array_equal(read(path, at, later(at))[0], whole[at:])


@pytest.mark.parametrize("form", ["flac", "ogg"])
def test_flac_with_more_bits_behind_flac_is_heard(tmp_path, said, form):
    """And 16 bits again behind that."""
    files = [tmp_path / f"{bits}.{form}" for bits in (16, 24)]
    for path, kind in zip(files, ("s16", "s32"), strict=True):
        with av.open(str(path), "w", format=form) as container:
            stream = container.add_stream("flac", rate=speech.RATE, layout="mono")
            stream.format = kind
            audio = (said * 20_000).astype("<i2") if kind == "s16" else (said * 1.3e9).astype("<i4")
            frame = av.AudioFrame.from_ndarray(audio[None], kind, "mono")
            frame.sample_rate, frame.pts = speech.RATE, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    path = tmp_path / f"x.{form}"
    path.write_bytes(b"".join(each.read_bytes() for each in (*files, files[0])))
    whole, told, _ = read(path)
    assert len(whole) == pytest.approx(3 * len(said), abs=speech.RATE // 10)
    assert not any("damaged" in each for each in told)
    assert lag(whole[len(said) : 2 * len(said)], said)[1] > 0.99
    assert np.array_equal(read(path, 20 * speech.RATE, later(20 * speech.RATE))[0], whole[20 * speech.RATE :])


def test_a_further_file_whose_head_is_damaged_costs_none_behind_it(tmp_path, said):
    """It cannot be read; the next one can."""
    first, second = (
        ogg(tmp_path / "a.ogg", said, "libopus", 48_000, 1),
        ogg(tmp_path / "b.ogg", said, "vorbis", 22_050, 2),
    )
    data = second.read_bytes()
    at = data.index(b"vorbis")
    path = tmp_path / "x.ogg"
    path.write_bytes(first.read_bytes() + data[:at] + bytes(500) + data[at + 500 :] + first.read_bytes())
    heard, warnings = decode(path)
    assert len(heard) > 1.9 * len(said)
    assert len(warnings) == 1


def test_the_sound_of_a_further_file_is_heard_though_its_track_has_another_number(tmp_path, said):
    """A film, with its pictures first, and sound alone behind it."""
    film, alone = tmp_path / "a.ogg", ogg(tmp_path / "b.ogg", said, "libopus", 48_000, 1)
    with av.open(str(film), "w", format="ogg") as container:
        cover = container.add_stream("flac", rate=8000, layout="mono")
        stream = container.add_stream("flac", rate=speech.RATE, layout="mono")
        for each, audio in ((cover, said[:800] * 0), (stream, said)):
            frame = av.AudioFrame.from_ndarray((audio * 20_000).astype("<i2")[None], "s16", "mono")
            frame.sample_rate, frame.pts = each.rate, 0
            container.mux(each.encode(frame))
            container.mux(each.encode(None))
    path = tmp_path / "x.ogg"
    path.write_bytes(film.read_bytes() + alone.read_bytes())
    heard, _ = decode(path, tracks="2")
    assert abs(len(heard) - 2 * len(said)) < speech.RATE / 2


def test_damage_is_no_further_file(tmp_path, said):
    path = ogg(tmp_path / "x.ogg", said, "libopus", 48_000, 1)
    data, middle = path.read_bytes(), path.stat().st_size // 2
    path.write_bytes(data[:middle] + bytes(3000) + data[middle + 3000 :])
    heard, _ = decode(path)
    assert abs(len(heard) - len(said)) < speech.RATE


@pytest.mark.parametrize(("second", "length"), [("libopus", 1), ("libopus", 100_000), ("vorbis", 100_000)])
def test_damage_costs_no_more_where_another_file_follows(tmp_path, said, second, length):
    """FFmpeg calls both an error: a page whose checksum is wrong, and a file that it refuses."""
    first = ogg(tmp_path / "a.ogg", np.tile(said, 2), "libopus", 48_000, 1, bit_rate=192_000)
    behind = ogg(tmp_path / "b.ogg", said, second, *first_of(second))
    data, middle = bytearray(first.read_bytes()), first.stat().st_size // 2
    data[middle : middle + length] = bytes(byte ^ 0xFF for byte in data[middle : middle + length])
    first.write_bytes(data)
    path = tmp_path / "x.ogg"
    path.write_bytes(data + behind.read_bytes())
    heard, warnings = decode(path)
    alone, told = decode(first)
    assert warnings == told
    until = len(alone) - 100  # behind it the filter hears the next file
    assert np.array_equal(heard[:until], alone[:until])
    assert len(heard) == pytest.approx(3 * len(said), abs=speech.RATE // 10)
