"""What FFmpeg may take a file for and which decoders it may run; and tracks that show up late."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from sttd.part import Cause
from sttd.worker.audio.container import audio_decoders
from tests import speech
from tests.worker.test_audio import decode, failure, lag, open_it


@pytest.fixture(scope="module")
def said():
    return speech.compose(["english"])


def film(path, form, video, tracks, seconds, fps=25, pid=None, offset=0, languages=()):
    """A film of noise with sound: `tracks` are (codec, rate, when it begins in seconds, samples)."""
    noise = np.random.default_rng(0).integers(0, 255, (5, 144, 176, 3), np.uint8)
    with av.open(str(path), "w", format=form, options={"output_ts_offset": str(offset)}) as container:
        picture = container.add_stream(video, rate=fps)
        picture.width, picture.height, picture.pix_fmt, picture.bit_rate = 176, 144, "yuv420p", 3_000_000
        streams = [container.add_stream(codec, rate=rate, layout="mono") for codec, rate, _, _ in tracks]
        for stream in streams:
            stream.bit_rate = 64_000
            if pid is not None:
                stream.id = pid
        for stream, language in zip(streams, languages, strict=False):
            stream.metadata["language"] = language
        packets = []
        for number in range(fps * seconds):
            packets += picture.encode(av.VideoFrame.from_ndarray(noise[number % 5], format="rgb24"))
        packets += picture.encode(None)
        for stream, (_, rate, begin, audio) in zip(streams, tracks, strict=True):
            frame = av.AudioFrame.from_ndarray(audio[None], "fltp", "mono")
            frame.sample_rate, frame.pts = speech.RATE, None
            size = stream.codec_context.frame_size or 1024
            parts = av.AudioResampler(stream.format.name, "mono", rate, frame_size=size).resample(frame)
            for number, part in enumerate(parts):
                part.pts, part.time_base = number * size + round(begin * rate), Fraction(1, rate)
                packets += stream.encode(part)
            packets += stream.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


@pytest.mark.parametrize(("form", "video"), [("mpeg", "mpeg1video"), ("vob", "mpeg2video")])
def test_sound_that_begins_after_the_first_look_is_found_and_keeps_its_place(tmp_path, said, form, video):
    path = film(tmp_path / "x.mpg", form, video, [("mp2", 48_000, 20, said.audio)], 32)
    heard, warnings = decode(path)
    late, alike = lag(heard, said.audio)
    assert (late / speech.RATE, warnings) == (pytest.approx(20, abs=0.1), [])
    assert alike > 0.95


def test_a_live_stream_whose_sound_begins_late_is_heard(tmp_path, said):
    path = film(tmp_path / "x.flv", "flv", "flv", [("libmp3lame", 44_100, 100, said.audio)], 104, fps=5)
    assert lag(decode(path)[0], said.audio)[0] / speech.RATE == pytest.approx(100, abs=0.1)


def test_a_film_without_sound_is_still_refused_with_the_word(tmp_path):
    path = film(tmp_path / "x.mpg", "mpeg", "mpeg1video", [], 10)
    failed = failure(path)
    assert (failed.cause, "no audio track" in failed.message) == (Cause.BAD_FILE, True)


def test_no_video_decoder_runs(tmp_path, said):
    """Only a decoder finds out the pixel format of MPEG-4; today's holes in FFmpeg are mostly in those of video."""
    path = speech.encode(tmp_path / "x.mkv", said.audio)
    with av.open(str(path)) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p"
    with open_it(path) as stream:
        assert [track.pix_fmt for track in stream._container.streams.video] == [None]
    assert not {"h264", "hevc", "mpeg4", "mjpeg", "png", "ass", "magicyuv"} & set(audio_decoders().split(","))
    assert {"aac", "mp3float", "opus", "flac", "pcm_s16le", "wmav2", "ac3", "gsm"} <= set(audio_decoders().split(","))


def test_a_track_that_appears_after_opening_ends_nothing(tmp_path, said):
    """Two Ogg files one behind the other, the second with a track more: PyAV fails at the end, with all sound read."""
    one = speech.encode(tmp_path / "one.ogg", said.audio).read_bytes()
    with av.open(str(tmp_path / "two.ogg"), "w") as container:
        streams = [container.add_stream("libopus", rate=48_000, layout="mono") for _ in range(2)]
        frame = av.AudioFrame.from_ndarray(said.audio[None], "fltp", "mono")
        frame.sample_rate = speech.RATE
        for part in av.AudioResampler("flt", "mono", 48_000, frame_size=960).resample(frame):
            for stream in streams:
                container.mux(stream.encode(part))
        for stream in streams:
            container.mux(stream.encode(None))
    (tmp_path / "x.ogg").write_bytes(one + (tmp_path / "two.ogg").read_bytes())
    assert len(decode(tmp_path / "x.ogg")[0]) / speech.RATE >= said.seconds - 0.1


def with_a_late_subtitle(data: bytes) -> bytes:
    """A DVD's film with its first subtitle behind its middle."""
    at = len(data) // 2048 * 6 // 10 * 2048
    body = b"\x81\x80\x05\x21\0\x01\0\x01\x20\0\x3c" + bytes(58)
    body += b"\xff" * (2048 - 14 - 6 - len(body))
    return data[:at] + data[at : at + 14] + b"\0\0\1\xbd" + struct.pack(">H", len(body)) + body + data[at:]


@pytest.mark.ci
def test_a_subtitle_that_appears_late_on_a_dvd_ends_nothing(tmp_path, said):
    path = film(tmp_path / "x.vob", "vob", "mpeg2video", [("ac3", 48_000, 0, np.tile(said.audio, 8))], 30)
    alone = decode(path)[0]
    path.write_bytes(with_a_late_subtitle(path.read_bytes()))
    heard, warnings = decode(path)
    assert (len(heard), warnings) == (len(alone), [])


@pytest.mark.parametrize(
    ("suffix", "form", "codec", "rate"),
    [
        ("sln", "s16le", "pcm_s16le", 8_000),
        ("ulaw", "mulaw", "pcm_mulaw", 8_000),
        ("alaw", "alaw", "pcm_alaw", 8_000),
        ("voc", "voc", "pcm_s16le", 16_000),
        ("mxf", "mxf_opatom", "pcm_s16le", 48_000),
    ],
)
def test_what_telephone_systems_and_cameras_write_is_heard(tmp_path, said, suffix, form, codec, rate):
    path = tmp_path / f"x.{suffix}"
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(said.audio[None], "fltp", "mono")
        frame.sample_rate = speech.RATE
        resampler = av.AudioResampler(stream.format.name, "mono", rate)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    heard, warnings = decode(path)
    late, alike = lag(heard, said.audio)
    assert (abs(late) < 100, alike > 0.8, warnings) == (True, True, [])
