"""Recordings of every kind come as the right samples at the right places, whatever is wrong with them."""

import errno
import itertools
import os
import re
import socket
import struct
import subprocess
import sys
import wave
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from faster_whisper import decode_audio

from sttd.part import SAMPLE_RATE, Cause, Options
from sttd.worker.audio.opening import open_recording
from sttd.worker.audio.timeline import Timeline
from sttd.worker.errors import PartFailed
from tests import speech

KINDS = ["wav", "mp3", "m4a", "ogg", "flac", "webm", "mp4", "mkv", "mov", "aac", "ts"]


@pytest.fixture(scope="module")
def said():
    return speech.compose(seconds=12, seed=1)


def open_it(path, **options):
    seen = os.stat(path, follow_symlinks=False)
    return open_recording(str(path), seen.st_size, seen.st_mtime_ns, Options(**options))


def decode(path, first=0, **options):
    """All samples from `first` on, and the warnings."""
    with open_it(path, **options) as stream:
        pieces, position = [np.zeros(0, np.float32)], first
        for at, block in stream.blocks(first):
            assert at == position, "blocks follow each other without a gap"
            assert block.dtype == np.float32
            position += len(block)
            pieces.append(block)
        return np.concatenate(pieces), stream.warnings


def lag(heard, said):
    """Samples by which `heard` is late, and how alike the two are then (1: the same)."""
    size = 1 << (2 * max(len(heard), len(said))).bit_length()  # a power of two is transformed quickest
    a, b = np.fft.rfft(heard, size), np.fft.rfft(said, size)
    match = np.fft.irfft(a * b.conj(), size)
    at = int(match.argmax())
    return at if at < size // 2 else at - size, float(match.max() / np.sqrt((heard**2).sum() * (said**2).sum()))


def failure(path, **options):
    with pytest.raises(PartFailed) as caught:
        decode(path, **options)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_samples_at_their_places(tmp_path, said, kind):
    heard, warnings = decode(speech.encode(tmp_path / f"x.{kind}", said.audio, 44_100, 2))
    late, alike = lag(heard, said.audio)
    assert (abs(late) <= (1024 if kind in ("aac", "ts") else 2), warnings) == (True, [])  # these two keep no priming
    assert alike > 0.95
    assert abs(len(heard) - len(said.audio)) < 2_000


@pytest.mark.parametrize(("kind", "rate"), [("mp3", 44_100), ("ogg", 48_000), ("m4a", 22_050), ("wav", 16_000)])
def test_the_same_samples_come_wherever_one_begins(tmp_path, said, kind, rate):
    path = speech.encode(tmp_path / f"x.{kind}", said.audio, rate)
    whole, _ = decode(path)
    for first in (1, 16_000, 77_777, len(whole) - 5, len(whole), len(whole) + 100):
        assert np.array_equal(decode(path, first)[0], whole[first:])


def test_a_span_of_the_recording_ends_where_it_is_told_to(tmp_path, said):
    path = speech.encode(tmp_path / "x.flac", said.audio)
    with open_it(path) as stream:
        blocks = list(stream.blocks(30_000, 100_001))
    assert blocks[0][0] == 30_000
    assert sum(len(block) for _, block in blocks) == 70_001


def test_winding_forward_is_told_of_once_a_second_at_most(tmp_path, said, monkeypatch):
    path, clock, told = speech.encode(tmp_path / "x.flac", said.audio), itertools.count(0, 0.02), []
    monkeypatch.setattr("sttd.worker.audio.recording.time", SimpleNamespace(monotonic=lambda: next(clock)))
    with open_it(path) as stream:
        next(stream.blocks(10 * SAMPLE_RATE, on_wind=told.append))
    assert told == sorted(told)
    assert 2 <= len(told) <= 4  # of a look at the clock for each packet, 139
    assert told[-1] <= 10


def test_duration_is_what_the_container_says(tmp_path, said):
    for kind in ("wav", "mp3", "m4a", "webm", "mkv"):
        with open_it(speech.encode(tmp_path / f"x.{kind}", said.audio)) as stream:
            assert stream.duration == pytest.approx(said.seconds, abs=0.1)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_one_channel_becomes_what_faster_whisper_makes_of_it(tmp_path, said, kind, rate):
    """To the sample: a difference that nobody could hear may be another word for Whisper."""
    path = speech.encode(tmp_path / f"a.{kind}", said.audio, rate=rate)
    assert np.array_equal(decode(path)[0], decode_audio(str(path)))


@pytest.mark.parametrize("rates", [(16_000, 48_000), (48_000, 16_000)])
def test_flac_of_another_rate_behind_flac_is_as_long_as_it_is(tmp_path, said, rates):
    """FFmpeg takes its samples for those of the first rate, so its stamps leapt, and silence was put between its frames."""
    path, half = tmp_path / "x.flac", len(said.audio) // 2
    pieces = (said.audio[:half], said.audio[half:])
    files = [speech.encode(tmp_path / f"{rate}.flac", piece, rate) for rate, piece in zip(rates, pieces, strict=True)]
    path.write_bytes(b"".join(each.read_bytes() for each in files))
    heard, warnings = decode(path)
    assert warnings == []
    assert len(heard) == pytest.approx(len(said.audio), abs=100)
    assert lag(heard[half:], said.audio[half:])[1] > 0.95


def test_floats_keep_what_passes_full_scale(tmp_path, said):
    samples = (3 * said.audio / np.abs(said.audio).max()).astype("<f4").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, SAMPLE_RATE, 4 * SAMPLE_RATE, 4, 32)  # 3: IEEE float
    content = b"WAVE" + form + struct.pack("<4sI", b"data", len(samples)) + samples
    path = tmp_path / "a.wav"
    path.write_bytes(struct.pack("<4sI", b"RIFF", len(content)) + content)
    assert np.abs(decode(path)[0]).max() > 2


def test_the_centre_channel_keeps_its_level(tmp_path, said):
    heard, _ = decode(speech.encode(tmp_path / "x.flac", said.audio, channels=6))
    assert np.abs(heard).max() == pytest.approx(np.abs(said.audio).max(), rel=0.05)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts"])
def test_a_late_start_is_silence(tmp_path, said, kind):
    heard, warnings = decode(speech.encode(tmp_path / f"x.{kind}", said.audio, delay=3))
    assert not warnings
    assert abs(lag(heard, said.audio)[0] - 3 * SAMPLE_RATE) < 100
    assert np.abs(heard[: int(2.9 * SAMPLE_RATE)]).max() == 0


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm"])
def test_a_hole_is_silence(tmp_path, said, kind):
    heard, warnings = decode(speech.encode(tmp_path / f"x.{kind}", said.audio, gaps=[(5, 60)]))
    assert not warnings
    tail = said.audio[8 * SAMPLE_RATE :]
    assert abs(lag(heard[68 * SAMPLE_RATE :], tail)[0]) < 1_000
    assert not heard[10 * SAMPLE_RATE : 60 * SAMPLE_RATE].any()


def test_a_hole_longer_than_max_gap_is_a_broken_stamp(tmp_path, said):
    path = speech.encode(tmp_path / "x.mkv", said.audio, gaps=[(5, 60)])
    heard, warnings = decode(path, max_gap=50)
    assert abs(len(heard) - len(said.audio)) < 1_000
    assert lag(heard, said.audio) == (0, pytest.approx(1, abs=0.05))
    assert "1 time stamp made no sense" in warnings[0]


def test_a_chained_file_is_heard_to_its_end(tmp_path, said):
    """Two Ogg files one after the other: the clock begins again, the sound does not."""
    one = speech.encode(tmp_path / "one.ogg", said.audio).read_bytes()
    (tmp_path / "two.ogg").write_bytes(one + one)
    heard, warnings = decode(tmp_path / "two.ogg")
    assert len(heard) / SAMPLE_RATE == pytest.approx(2 * said.seconds, abs=0.2)
    assert not warnings, "nothing is wrong with it"


def test_a_change_of_rate_and_channels_in_mid_file_is_followed(tmp_path, said):
    parts = [speech.encode(tmp_path / "a.aac", said.audio, 44_100, 2), speech.encode(tmp_path / "b.aac", said.audio)]
    (tmp_path / "c.aac").write_bytes(b"".join(part.read_bytes() for part in parts))
    heard, _ = decode(tmp_path / "c.aac")
    assert len(heard) / SAMPLE_RATE == pytest.approx(2 * said.seconds, abs=0.3)
    half = len(heard) // 2
    assert lag(heard[half:], said.audio)[1] > 0.9


@pytest.mark.parametrize("kind", ["mp3", "m4a", "ogg", "flac", "webm", "mp4", "mkv", "aac", "ts"])
def test_damage_in_the_middle_costs_little(tmp_path, said, kind):
    path = speech.encode(tmp_path / f"x.{kind}", said.audio)
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + 2_000] = np.random.default_rng(0).bytes(2_000)
    path.write_bytes(data)
    heard, warnings = decode(path)
    assert len(heard) > len(said.audio) - 0.6 * SAMPLE_RATE
    assert lag(heard[-4 * SAMPLE_RATE :], said.audio[-4 * SAMPLE_RATE :])[1] > 0.9, "the end is there"
    if kind in ("mp3", "m4a", "mp4", "aac"):  # Ogg and Matroska find the next page by themselves
        assert re.match(r"\d+ damaged packets? w.* left out.* at 0:00:0", warnings[0])


@pytest.mark.parametrize("kind", ["mp3", "webm", "flac", "m4a", "mkv", "wav"])
def test_a_file_that_was_cut_off_keeps_what_is_there_and_says_so(tmp_path, said, kind):
    path = speech.encode(tmp_path / f"x.{kind}", said.audio, fragmented=kind == "m4a")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    heard, warnings = decode(path)
    assert 0.5 < len(heard) / len(said.audio) < 0.7
    assert any("ends early" in warning for warning in warnings)
    assert lag(heard, said.audio)[0] <= 1024


@pytest.mark.parametrize("rate", [32_000, 88_200])
def test_the_tail_of_a_flac_file_is_as_long_as_its_sound(tmp_path, said, rate):
    """Without the head FFmpeg counts its samples as those of another rate: each frame had silence behind it, or lost its end."""
    path = speech.encode(tmp_path / "x.flac", said.audio, rate)
    data = path.read_bytes()
    path.write_bytes(data[len(data) // 3 :])
    heard, _ = decode(path)
    late, alike = lag(heard, said.audio[-len(heard) :])
    assert abs(late) < 0.2 * SAMPLE_RATE
    assert alike > 0.9
    assert len(heard) < 0.75 * len(said.audio)


def test_samples_that_are_no_numbers_become_silence(tmp_path, said):
    audio = said.audio.copy()
    audio[1000:1010], audio[2000], audio[3000] = np.nan, np.inf, 1e30
    path = speech.encode(tmp_path / "x.wav", audio, form="f32.wav")
    heard, warnings = decode(path)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 16
    assert np.array_equal(heard[4000:], audio[4000:])
    assert warnings == ["12 samples were no numbers, or far too loud, and were set right"]
    assert decode(path, 2 * speech.RATE)[1] == warnings, "an attempt that is resumed behind them tells of them too"


def test_the_track_of_the_asked_language_is_taken(tmp_path, said):
    path = tmp_path / "x.mkv"
    with av.open(str(path), "w") as container:
        added = [container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono") for _ in range(2)]
        for stream, language in zip(added, ("eng", "tha"), strict=True):
            stream.metadata["language"] = language
        for stream, gain in zip(added, (1.0, 0.5), strict=True):
            frame = av.AudioFrame.from_ndarray((said.audio * gain * 32767).astype(np.int16)[None], "s16", "mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, 0
            container.mux(stream.encode(frame))
    loudest = np.abs(said.audio).max()
    for options, gain in (
        ({}, 1.0),
        ({"language": "th"}, 0.5),
        ({"languages": ("th", "lo")}, 0.5),
        ({"language": "de"}, 1),
    ):
        heard, warnings = decode(path, **options)
        assert np.abs(heard).max() == pytest.approx(gain * loudest, rel=0.01)
        assert [warning.partition(";")[0] for warning in warnings] == [
            f"only audio track {1 if gain == 1 else 2} of 2 was transcribed"
        ]


def test_no_audio_track_is_said(tmp_path, said):
    failed = failure(speech.encode(tmp_path / "x.mp4", said.audio, video_only=True))
    assert (failed.cause, failed.retriable) == (Cause.BAD_FILE, False)
    assert "no audio track" in failed.message


def test_no_sound_in_the_track_is_said(tmp_path):
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
    failed = failure(tmp_path / "x.wav")
    assert failed.cause is Cause.BAD_FILE
    assert failed.message.startswith(
        "there is no sound in the file: its audio track is empty, or it is of another kind"
    )


HOSTILE = {
    "garbage": np.random.default_rng(1).bytes(50_000),
    "text": b"Dear diary, nothing to be heard.\n" * 100,
    "ffconcat": b"ffconcat version 1.0\nfile secret.wav\n",
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.wav\n#EXT-X-ENDLIST\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>secret.wav</BaseURL></Period></MPD>',
    "subtitles": b"1\n00:00:01,000 --> 00:00:02,000\nhello\n\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_recording_is_refused_and_opens_nothing_else(tmp_path, said, name, monkeypatch):
    speech.encode(tmp_path / "secret.wav", said.audio)
    monkeypatch.chdir(tmp_path)
    for suffix in ("mp3", "mp4", "wav", "m3u8", "ffconcat"):
        path = tmp_path / f"x.{suffix}"
        path.write_bytes(HOSTILE[name])
        failed = failure(path)
        assert (failed.cause, failed.retriable) == (Cause.BAD_FILE, False)


def test_an_mp4_without_its_index_is_refused(tmp_path, said):
    path = speech.encode(tmp_path / "x.mp4", said.audio)
    path.write_bytes(path.read_bytes()[:20_000])
    assert failure(path).cause is Cause.BAD_FILE


def test_a_recording_longer_than_the_limit_is_refused(tmp_path, said):
    path = speech.encode(tmp_path / "x.flac", said.audio)
    failed = failure(path, max_audio=10)
    assert failed.cause is Cause.BAD_FILE
    assert "limits.max_audio (0:00:10)" in failed.message
    with pytest.raises(PartFailed):  # at once: the container says how long it is
        open_it(path, max_audio=10)


def test_a_hole_that_makes_it_longer_than_the_limit_is_refused(tmp_path, said):
    assert (
        failure(speech.encode(tmp_path / "x.webm", said.audio, gaps=[(5, 3000)]), max_audio=1000).cause
        is Cause.BAD_FILE
    )


def test_an_empty_file_is_said(tmp_path):
    (tmp_path / "x.mp3").touch()
    assert (failure(tmp_path / "x.mp3").cause, failure(tmp_path / "x.mp3").message) == (
        Cause.BAD_FILE,
        "the file is empty; copy it again",
    )


def test_another_size_or_time_is_a_changed_file(tmp_path, said):
    path = speech.encode(tmp_path / "x.flac", said.audio)
    seen = path.stat()
    for size, mtime in ((seen.st_size + 1, seen.st_mtime_ns), (seen.st_size, seen.st_mtime_ns - 1)):
        with pytest.raises(PartFailed) as caught:
            open_recording(str(path), size, mtime, Options())
        assert (caught.value.cause, caught.value.retriable) == (Cause.CHANGED, True)


def test_a_file_that_changes_while_it_is_read_is_a_changed_file(tmp_path, said):
    path = speech.encode(tmp_path / "x.flac", said.audio)
    with open_it(path) as stream:
        blocks = stream.blocks()
        next(blocks)
        with path.open("ab") as file:
            file.write(b"more")
        with pytest.raises(PartFailed) as caught:
            list(blocks)
    assert caught.value.cause is Cause.CHANGED


def test_a_file_that_is_gone_is_said(tmp_path):
    for path in ("no.mp3", "no/folder.mp3"):
        with pytest.raises(PartFailed) as caught:
            open_recording(str(tmp_path / path), 1, 1, Options())
        assert caught.value.cause is Cause.GONE


def test_only_a_regular_file_is_opened(tmp_path, said, monkeypatch):
    path = speech.encode(tmp_path / "real.flac", said.audio)
    os.mkfifo(tmp_path / "fifo.mp3")
    (tmp_path / "folder.mp3").mkdir()
    (tmp_path / "link.mp3").symlink_to(path)
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)
        server.bind("socket.mp3")
        causes = [failure(Path(f"{name}.mp3").absolute()).cause for name in ("fifo", "folder", "socket", "link")]
    assert causes == [Cause.GONE] * 4, "only regular files are queued: these took the place of one"


@pytest.mark.parametrize("kind", ["wav", "flac", "mka"])
@pytest.mark.parametrize("reads", [0, 3])
def test_an_error_of_the_disk_is_no_fault_of_the_file(tmp_path, said, monkeypatch, kind, reads):
    """FFmpeg takes it for the end; half a transcript that says nothing would be the result."""
    audio = np.tile(said.audio, 8)
    path = speech.encode(tmp_path / f"x.{kind}", audio)
    real, count, places = os.pread, itertools.count(), []

    def pread(handle, length, place):
        if next(count) >= reads:
            places.append(place)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(handle, length, place)

    monkeypatch.setattr(os, "pread", pread)
    failed = failure(path)
    assert (failed.cause, failed.retriable, failed.unread) == (Cause.UNREADABLE, True, places[0])
    assert "Input/output error" in failed.message


def test_a_file_that_may_not_be_read_waits(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "x.mp3").write_bytes(b"x")
    monkeypatch.setattr(os, "open", refuse)
    failed = failure(tmp_path / "x.mp3")
    assert (failed.cause, failed.retriable) == (Cause.UNREADABLE, True)
    assert "chmod u+r" in failed.message


def test_names_are_bytes(tmp_path, said):
    name = os.fsdecode(b"\xe0\xb8\xaa \xff\n'\".flac")
    path = speech.encode(tmp_path / "x.flac", said.audio).rename(tmp_path / name)
    assert len(decode(path)[0]) == len(said.audio)


@pytest.mark.ci
def test_memory_does_not_depend_on_the_length(tmp_path):
    """Peak of a process of its own for 2 minutes and for 20 with a hole of 50."""
    audio = speech.compose(seconds=120, seed=2).audio
    paths = [
        speech.encode(tmp_path / "short.mka", audio),
        speech.encode(tmp_path / "long.mka", np.tile(audio, 10), gaps=[(300, 3000)]),
    ]
    script = (
        "import os, resource, sys\nfrom sttd.part import Options\nfrom sttd.worker.audio.opening import open_recording\n"
        "s = os.stat(sys.argv[1])\nstream = open_recording(sys.argv[1], s.st_size, s.st_mtime_ns, Options())\n"
        "count = sum(len(block) for _, block in stream.blocks())\n"
        "print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", script]
    out = [subprocess.run([*command, path], capture_output=True, check=True, text=True).stdout for path in paths]
    (short, low), (long, high) = [map(int, line.split()) for line in out]
    assert long > 30 * short
    assert high < 1.1 * low, "KiB"


def run(stamps, max_gap=3600.0, length=0.02, base=0.0):
    """The silence (or drop) before each frame of 20 ms with these stamps."""
    timeline, at, found = Timeline(max_gap, base=base), 0.0, []
    for stamp, after in itertools.pairwise([*stamps, None]):
        silence = timeline.place(stamp, after, length, at)
        at += silence + length
        found.append(round(silence, 6))
    return found, timeline


def test_stamps_that_jitter_mean_nothing():
    jitter = np.random.default_rng(0).uniform(-0.04, 0.04, 200)
    found, timeline = run([index * 0.02 + off for index, off in enumerate(jitter)])
    assert (set(found), timeline.broken) == ({0.0}, 0)


def test_frames_without_stamps_follow_each_other():
    assert run([None] * 5)[0] == [0.0] * 5


def test_sound_that_was_there_before_is_dropped():
    found, timeline = run([0.0, 0.02, *(2 + 0.02 * i for i in range(5)), *(1.1 + 0.02 * i for i in range(5))])
    assert found[2] == pytest.approx(1.96)
    assert found[7] == pytest.approx(-1.0)
    assert sum(found) == pytest.approx(0.96)
    assert timeline.broken == 0


@pytest.mark.parametrize(
    ("first", "base", "broken"),
    [(0.0, 0.0, 0), (0.5, 0.0, 1), (-7200.0, 7200.0, 0)],
    ids=["as in a chained file", "anywhere else", "as in a radio stream that was joined late"],
)
def test_a_clock_that_begins_again_drops_nothing(first, base, broken):
    found, timeline = run([0.02 * i for i in range(500)] + [first + 0.02 * i for i in range(500)], base=base)
    assert (set(found), timeline.broken) == ({0.0}, broken)


def test_small_losses_add_up():
    """A packet lost now and then, as in recordings from a call: the times stay the player's."""
    stamps = [0.02 * i for i in range(5000) if i % 10]
    found, timeline = run(stamps)
    assert sum(found) == pytest.approx(10, abs=0.2)
    assert timeline.broken == 0


def test_a_slow_clock_drops_no_sound_and_catches_up_in_a_hole():
    stamps = [0.0199 * i for i in range(10_000)]
    found, timeline = run([*stamps, *(0.0199 * i + 10 for i in range(10_000, 10_100))])
    assert min(found) == 0
    assert sum(found) == pytest.approx(10 - 1, abs=0.1)
    assert timeline.broken == 0


@pytest.mark.parametrize("wrong", [50.0, 1e6, -50.0, -1.0])
def test_one_broken_stamp_makes_no_hole(wrong):
    stamps = [0.02 * i for i in range(200)]
    stamps[100] = stamps[100] + wrong
    found, timeline = run(stamps)
    assert (set(found), timeline.broken) == ({0.0}, 1)
