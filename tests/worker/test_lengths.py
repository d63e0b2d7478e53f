"""A length that FFmpeg only estimates, or takes from a wrong clock, moves no bar and warns of nothing."""

import struct

import av
import numpy as np
import pytest

from tests import speech
from tests.worker.test_audio import decode, open_it
from tests.worker.test_container import film

SECONDS = 12


@pytest.fixture(scope="module")
def said():
    return speech.compose(seconds=SECONDS, seed=4)


class Pipe:
    """A file in which nothing can be put right afterwards."""

    def __init__(self, path):
        self.file = path.open("wb")

    def write(self, data):
        return self.file.write(data)


def write(path, audio, form, codec, rate, *, layout="mono", bit_rate=64_000, begin=0, piped=False, **options):
    pipe = Pipe(path) if piped else None
    with av.open(
        pipe or str(path), "w", format=form, options={name: str(value) for name, value in options.items()}
    ) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = bit_rate
        stream.codec_context.options = speech.QUICK.get(codec, {})
        frame = av.AudioFrame.from_ndarray(audio[None], "fltp", "mono")
        frame.sample_rate = speech.RATE
        size = stream.codec_context.frame_size or 1024
        for number, part in enumerate(
            av.AudioResampler(stream.format.name, layout, rate, frame_size=size).resample(frame)
        ):
            part.pts = number * size + begin * rate
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    if pipe:
        pipe.file.close()
    return path


def two_bit_rates(path, audio):
    """MP3 of a software radio: no frame says how long it is, and the first frames are of silence."""
    parts = [(np.zeros_like(audio), 32_000), (audio, 128_000)]
    files = [
        write(
            path.with_suffix(f".{rate}"),
            part,
            "mp3",
            "libmp3lame",
            16_000,
            bit_rate=rate,
            write_xing=0,
            id3v2_version=0,
        )
        for part, rate in parts
    ]
    path.write_bytes(b"".join(file.read_bytes() for file in files))


def with_an_advertisement(path, audio):
    path.write_bytes(2 * write(path, audio, "mp3", "libmp3lame", 44_100, bit_rate=128_000).read_bytes())


def camera_clock(path, audio):
    write(path, audio, "matroska", "libopus", 48_000, begin=90_000)


def out_of_the_middle(path, audio):
    """A stream that was recorded from some place on: its first page is of that place."""
    data, pages = write(path, audio, "ogg", "libopus", 48_000, page_duration=200_000).read_bytes(), []
    while data:
        size = 27 + data[26] + sum(data[27 : 27 + data[26]])
        pages.append(data[:size])
        data = data[size:]
    path.write_bytes(b"".join(pages[:2] + pages[len(pages) // 2 :]))


def two_in_a_row(path, audio):
    path.write_bytes(2 * write(path, audio, "ogg", "libopus", 48_000, page_duration=200_000).read_bytes())


def longer_picture(path, audio):
    film(path, "asf", "wmv2", [("wmav2", 44_100, 0, audio)], 2 * SECONDS, fps=5)


def piped_avi(path, audio):
    write(path, audio, "avi", "libmp3lame", 44_100, piped=True)


def piped_wma(path, audio):
    write(path, audio, "asf", "wmav2", 44_100, piped=True)


def piped_flac(path, audio):
    write(path, audio, "flac", "flac", 16_000, piped=True)


def piped_webm(path, audio):
    write(path, audio, "webm", "libopus", 48_000, piped=True, live=1)


def television(path, audio):
    path.write_bytes(2 * write(path, audio, "mpegts", "mp2", 48_000).read_bytes())


@pytest.mark.parametrize(
    ("make", "suffix", "heard", "told"),
    [
        (two_bit_rates, "mp3", 2 * SECONDS, None),
        (with_an_advertisement, "mp3", 2 * SECONDS, None),
        (camera_clock, "mka", SECONDS, None),
        (out_of_the_middle, "opus", SECONDS / 2, None),
        (two_in_a_row, "opus", 2 * SECONDS, None),
        (longer_picture, "wmv", SECONDS, 2 * SECONDS),
        (piped_avi, "avi", SECONDS, None),
        (piped_wma, "wma", SECONDS, None),
        (piped_flac, "flac", SECONDS, None),
        (piped_webm, "webm", SECONDS, None),
        (television, "ts", 2 * SECONDS, None),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_length_that_cannot_be_believed_is_none(tmp_path, said, make, suffix, heard, told):
    path = tmp_path / f"x.{suffix}"
    make(path, said.audio)
    with open_it(path) as stream:
        assert stream.duration == (told and pytest.approx(told, rel=0.1))
    audio, warnings = decode(path)
    assert len(audio) / speech.RATE == pytest.approx(heard, rel=0.2)
    assert [warning for warning in warnings if "time stamps" not in warning] == []
    assert len(decode(path, max_audio=heard * 1.3)[0]) == len(audio), "no estimate refuses it either"


@pytest.mark.parametrize(
    ("form", "codec", "rate"),
    [("mp3", "libmp3lame", 22_050), ("avi", "libmp3lame", 44_100), ("asf", "wmav2", 44_100), ("ogg", "libopus", 48_000),
     ("flv", "libmp3lame", 44_100), ("matroska", "libopus", 48_000), ("caf", "pcm_s16le", 16_000)],
)  # fmt: skip
def test_a_length_that_the_file_states_is_known(tmp_path, said, form, codec, rate):
    path = write(tmp_path / "x.bin", said.audio, form, codec, rate)
    with open_it(path) as stream:
        assert stream.duration == pytest.approx(said.seconds, abs=0.2)


@pytest.mark.parametrize(("form", "codec", "rate"), [("mp3", "libmp3lame", 44_100), ("avi", "libmp3lame", 44_100), ("asf", "wmav2", 44_100),
    ("matroska", "libopus", 48_000), ("flv", "libmp3lame", 44_100)])  # fmt: skip
def test_a_copy_that_was_broken_off_says_so(tmp_path, said, form, codec, rate):
    path = write(tmp_path / "x.bin", said.audio, form, codec, rate)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    assert any("ends early: 0:00:0" in warning for warning in decode(path)[1])


@pytest.mark.parametrize("told", [float("inf"), float("nan"), 1e300])
def test_what_is_no_number_or_no_humans_time_is_no_length(tmp_path, said, told):
    path = write(tmp_path / "x.flv", said.audio, "flv", "libmp3lame", 44_100)
    data = path.read_bytes()
    at = data.index(b"duration\0") + 9
    path.write_bytes(data[:at] + struct.pack(">d", told) + data[at + 8 :])
    with open_it(path) as stream:
        assert stream.duration is None
    assert decode(path)[1] == []


def test_a_number_that_ebml_does_not_have_is_no_length(tmp_path, said):
    """The name of Matroska's segment may stand in what a reader is to step over."""
    path = write(tmp_path / "x.mka", said.audio, "matroska", "flac", 16_000)
    data = path.read_bytes()
    size = 5 + (data[4] & 0x7F)
    head = data[5:size] + b"\xec\x86\x18\x53\x80\x67\0\0"
    path.write_bytes(data[:4] + bytes([0x80 | len(head)]) + head + data[size:])
    with open_it(path) as stream:
        assert stream.duration is None
    assert len(decode(path)[0]) == pytest.approx(len(said.audio), abs=2000)


def test_the_length_of_several_tracks_is_that_of_the_longest(tmp_path, said):
    tracks = [("aac", 44_100, 0, said.audio[: 3 * speech.RATE]), ("aac", 44_100, 0, said.audio)]
    with open_it(film(tmp_path / "x.mp4", "mp4", "mpeg4", tracks, 1, fps=5)) as stream:
        assert stream.duration == pytest.approx(said.seconds, abs=0.2)


def amended(path, frames=1.0, count=1.0):
    """An MP3 whose first frame says so many times the frames and bytes that there are."""
    data = path.read_bytes()
    at = max(data.find(b"Xing"), data.find(b"Info"))
    was = struct.unpack_from(">II", data, at + 8)
    path.write_bytes(data[: at + 8] + struct.pack(">II", int(was[0] * frames), int(was[1] * count)) + data[at + 16 :])
    return path


def test_an_mp3_that_counts_too_many_frames_is_whole_where_all_bytes_are_there(tmp_path, said):
    path = amended(write(tmp_path / "x.mp3", said.audio, "mp3", "libmp3lame", 16_000), frames=3)
    heard, warnings = decode(path)
    assert len(heard) > len(said.audio) - 2000  # FFmpeg ends it at the frame's word of padding
    assert warnings == []


def test_an_mp3_whose_second_half_is_zeros_ends_early(tmp_path, said):
    """As a download leaves it that had asked for all of the room."""
    path = write(tmp_path / "x.mp3", said.audio, "mp3", "libmp3lame", 16_000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    assert any(warning.startswith("the file ends early") for warning in decode(path)[1])


def ape(body, *, is_foot):
    return b"APETAGEX" + struct.pack("<IIII", 2000, len(body) + 32, 1, 1 << 31 | (0 if is_foot else 1 << 29)) + bytes(8)


@pytest.mark.parametrize("where", ["front", "behind"])
def test_a_picture_in_an_ape_tag_is_no_damaged_sound(tmp_path, said, where):
    path = write(tmp_path / "x.mp3", said.audio, "mp3", "libmp3lame", 16_000, id3v2_version=0)
    whole, warnings = decode(path)
    assert warnings == []
    picture = b"\xff\xfb\x90\x44" + np.random.default_rng(1).bytes(400) + b"\xff\xf3\x40\xc4"
    body = picture * 200
    tag = ape(body, is_foot=False) + body + ape(body, is_foot=True)
    oldest = b"LYRICSBEGIN" + b"la " * 100 + b"000311LYRICS200" + b"TAG" + bytes(125)
    data = path.read_bytes()
    path.write_bytes(tag + data if where == "front" else data + tag + oldest)
    heard, warnings = decode(path)
    assert np.array_equal(heard, whole)
    assert warnings == []


def test_a_picture_between_two_mp3_files_is_no_damaged_sound(tmp_path, said):
    """`cat a.mp3 b.mp3`, each with its cover in an ID3 tag: FFmpeg finds heads of packets in the second one's."""
    data = write(tmp_path / "x.mp3", said.audio, "mp3", "libmp3lame", 16_000, id3v2_version=0).read_bytes()
    picture = b"APIC" + struct.pack(">IH", 300_000, 0) + np.random.default_rng(1).bytes(300_000)
    size = len(picture)
    tag = b"ID3\3\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + picture
    plain, joined = tmp_path / "plain.mp3", tmp_path / "joined.mp3"
    plain.write_bytes(data + data)
    joined.write_bytes(data + tag + data)
    (whole, _), (heard, warnings) = decode(plain), decode(joined)
    assert len(heard) == pytest.approx(len(whole), abs=2_000)
    assert warnings == []
