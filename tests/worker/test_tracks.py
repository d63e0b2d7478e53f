"""Which audio tracks of a file are heard, and how several of them become one recording."""

import contextlib
import tracemalloc
import types
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from sttd.part import Options
from sttd.worker.audio import transport
from sttd.worker.audio.mix import Mixer
from sttd.worker.audio.source_file import SourceFile
from sttd.worker.audio.tracks import choose
from tests import speech
from tests.worker.test_audio import decode, lag, open_it
from tests.worker.test_container import film

RATE = speech.RATE
ONLY = 'only audio track {} of {} was transcribed; transcribe.tracks = "all" mixes them, a number takes another one'


@pytest.fixture(scope="module")
def said():
    return speech.compose(["english"]).audio


def write(path, *tracks):
    """An MKV of sound alone; each track is (samples, language, disposition, title)."""
    with av.open(str(path), "w") as container:
        streams = []
        for _, language, disposition, title in tracks:
            stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
            stream.metadata.update({name: text for name, text in (("language", language), ("title", title)) if text})
            stream.disposition = disposition
            streams.append(stream)
        container.start_encoding()
        for begin in range(0, max(len(samples) for samples, *_ in tracks), RATE):
            for stream, (samples, *_) in zip(streams, tracks, strict=True):
                piece = samples[begin : begin + RATE]
                if len(piece):
                    frame = av.AudioFrame.from_ndarray(np.round(piece * 32_767).astype(np.int16)[None], "s16", "mono")
                    frame.sample_rate, frame.pts, frame.time_base = RATE, begin, Fraction(1, RATE)
                    container.mux(stream.encode(frame))
    return path


NONE = Disposition(0)


def track(samples, language="", disposition=NONE, title=""):
    return samples, language, disposition, title


def same(heard, said):
    return len(heard) == len(said) and np.allclose(heard, said, atol=1e-3)


def test_a_silent_track_is_passed_over(tmp_path, said):
    """OBS: the computer's sound on track 1, where nothing plays, the microphone on track 2; and tracks nobody uses."""
    silence = np.zeros_like(said)
    path = write(tmp_path / "x.mkv", track(silence, title="Desktop"), track(said, title="Mic"), track(silence))
    heard, warnings = decode(path)
    assert (same(heard, said), warnings) == (True, [])
    assert np.array_equal(decode(path, 23_456)[0], heard[23_456:]), "a resume hears the same"


def test_a_default_track_without_packets_is_passed_over(tmp_path, said):
    nothing = said[:0]
    for language in ("", "eng"):
        path = write(tmp_path / "x.mkv", track(nothing, language, Disposition.default), track(said))
        assert same(decode(path)[0], said)


def test_who_speaks_on_another_track_while_the_first_is_silent_for_long_is_heard(tmp_path, said):
    """Craig: one speaker a track."""
    pause, much = np.zeros(2 * RATE, np.float32), np.tile(said, 3)
    first = np.concatenate([said, pause, 0 * much, pause, said])
    second = np.concatenate([0 * said, pause, much, pause, 0 * said])
    heard, warnings = decode(write(tmp_path / "x.mkv", track(first), track(second)))
    assert same(heard, first + second)
    assert warnings == ["audio tracks 1, 2 of 2 were transcribed, each where those before it were silent"]


@pytest.mark.parametrize("seconds", [2, 8])
def test_in_a_pause_or_at_the_end_nobody_stands_in(tmp_path, said, seconds):
    """An interpreter's track without a language: it talks on in each pause, and for longer."""
    pause = np.zeros(seconds * RATE, np.float32)
    floor = np.concatenate([pause, said, pause, said])
    interpreter = np.resize(said[::-1], len(floor) + seconds * RATE)
    heard, warnings = decode(write(tmp_path / "x.mkv", track(floor), track(interpreter)))
    assert (same(heard[: len(floor)], floor), warnings) == (True, [ONLY.format(1, 2)])
    assert not heard[len(floor) :].any()


def test_a_translation_does_not_stand_in(tmp_path, said):
    half = np.concatenate([said, 0 * said])
    heard, warnings = decode(write(tmp_path / "x.mkv", track(half, "eng"), track(half[::-1], "fre")))
    assert (same(heard, half), warnings) == (True, [ONLY.format(1, 2)])


@pytest.mark.parametrize(
    ("tracks", "language", "taken"),
    [
        ([("", Disposition.default, ""), ("eng", Disposition.comment, "")], "en", 1),
        ([("", Disposition.default, ""), ("eng", NONE, "Director's Commentary")], "en", 1),
        ([("eng", Disposition.default, ""), ("eng", NONE, "Commentary")], "en", 1),
        ([("eng", NONE, "Kommentar"), ("eng", NONE, "")], "", 2),
        ([("eng", Disposition.visual_impaired | Disposition.default, ""), ("eng", NONE, "")], "", 2),
        ([("jpn", Disposition.default, ""), ("eng", Disposition.dub, "")], "en", 2),
        ([("jpn", NONE, ""), ("eng", Disposition.dub, "")], "", 1),
        ([("jpn", Disposition.default, ""), ("eng", Disposition.comment, "")], "en", 2),
        ([("", Disposition.default, ""), ("eng", NONE, "")], "en", 2),
        ([("fre", Disposition.default, ""), ("und", NONE, "")], "en", 2),
        ([("fre", NONE, ""), ("eng", Disposition.default, "")], "de", 2),
    ],
)  # fmt: skip
def test_a_commentary_is_the_last_choice_and_the_language_asked_for_the_first(tmp_path, said, tracks, language, taken):
    gains = (1.0, 0.5)
    path = write(tmp_path / "x.mkv", *(track(gain * said, *words) for gain, words in zip(gains, tracks, strict=True)))
    assert np.abs(decode(path, language=language)[0]).max() == pytest.approx(
        gains[taken - 1] * np.abs(said).max(), rel=0.01
    )


def test_all_tracks_are_mixed_each_at_its_time(tmp_path, said):
    late = np.concatenate([np.zeros(RATE, np.float32), said[::-1]])
    path = write(tmp_path / "x.mkv", track(said, "eng"), track(late, "tha", Disposition.comment))
    heard, warnings = decode(path, tracks="all")
    both = late.copy()
    both[: len(said)] += said
    assert (same(heard, both), warnings) == (True, [])


def test_a_track_is_taken_by_its_number_and_one_that_is_not_there_is_said(tmp_path, said):
    path = write(tmp_path / "x.mkv", track(said), track(said[::-1]))
    assert same(decode(path, tracks="2")[0], said[::-1])
    heard, warnings = decode(path, tracks="5")
    remark = "the file has no audio track 5 that can be decoded (transcribe.tracks)"
    assert (same(heard, said), warnings) == (True, [remark, ONLY.format(1, 2)])


@pytest.mark.parametrize("max_gap", [3600.0, 5.0])
def test_a_programme_that_goes_on_in_another_track_goes_on(tmp_path, said, max_gap):
    """Television: the sound moves to another PID. However late that begins, it keeps its place."""
    begin = 3 * len(said) // RATE + 2
    tracks = [("mp2", 48_000, 0, np.tile(said, 3)), ("mp2", 48_000, begin, said)]
    heard, warnings = decode(film(tmp_path / "x.ts", "mpegts", "mpeg2video", tracks, begin + 6), max_gap=max_gap)
    assert abs(lag(heard[: len(said)], said)[0]) < 1100
    assert lag(heard[(begin - 1) * RATE :], said)[0] / RATE == pytest.approx(1, abs=0.1)
    assert warnings == ["audio tracks 1, 2 of 2 were transcribed, each where those before it were silent"]


@pytest.mark.parametrize(("begin", "is_heard"), [(14, True), (0, False)])
def test_a_programme_in_another_language_is_heard_where_it_follows_and_not_where_it_is_a_translation(
    tmp_path, said, begin, is_heard
):
    """Where both run side by side the second one is the first in another language, though that one is silent by now."""
    first, second = np.tile(said, 12 * RATE // len(said)), np.tile(said[::-1], 26 * RATE // len(said))
    tracks = [("mp2", 48_000, 0, first), ("mp2", 48_000, begin, second[: (26 - begin) * RATE])]
    path = film(tmp_path / "x.ts", "mpegts", "mpeg2video", tracks, 26, languages=("eng", "deu"))
    heard, warnings = decode(path)
    assert (len(heard) > 24 * RATE) is is_heard
    if is_heard:
        assert lag(heard[begin * RATE :][: len(said)], said[::-1])[1] > 0.9
        assert warnings == ["audio tracks 1, 2 of 2 were transcribed, each where those before it were silent"]
    else:
        assert warnings == [ONLY.format(1, 2)]
    assert len(decode(path, language="en")[0]) < 14 * RATE


BY_TURNS, FILM_BETWEEN, ONE_BEGINS_LATE = (1, 2) * 30, (1,) * 20 + (2,) * 20 + (1,) * 20, (1,) * 30 + (1, 2) * 15


@pytest.mark.parametrize(("order", "is_so"), [(BY_TURNS, False), (FILM_BETWEEN, True), (ONE_BEGINS_LATE, False)])
def test_two_languages_side_by_side_are_no_programmes_that_follow_each_other(tmp_path, order, is_so):
    """Between the pictures of HD their sound comes in bursts, some hundredths of a second apart."""
    picture, sounds = b"G\x01\x00\x10".ljust(188, b"\0") * 600, {1: b"G\x01\x01\x10", 2: b"G\x01\x02\x10"}
    path = tmp_path / "x.ts"
    path.write_bytes(b"".join(picture + sounds[each].ljust(188, b"\0") * 16 for each in order))
    file = SourceFile(str(path), path.stat().st_size, path.stat().st_mtime_ns)
    with contextlib.closing(file):
        assert transport.one_after_the_other(file, 0x101, 0x102) is is_so


@pytest.mark.parametrize("size", [188, 192])
def test_a_programme_between_two_others_is_heard(tmp_path, said, size):
    """The recorder starts early and ends late; the programme has a PID of its own, which neither end of the file names."""
    parts, begin, much = [], 0, np.tile(said, 3)
    for name, pid, sound in (("a", 257, said), ("b", 300, much), ("c", 257, said)):
        path, video = tmp_path / f"{name}.ts", [("mp2", 48_000, 0, sound)]
        film(path, "mpegts", "mpeg2video", video, len(sound) // RATE + 1, pid=pid, offset=begin)
        parts.append(path.read_bytes())
        begin += len(sound) // RATE + 1
    data, before = b"".join(parts), bytes(size - 188)
    packets = (data[at : at + 188] for at in range(0, len(data), 188))
    (tmp_path / "x.ts").write_bytes(b"".join(before + packet for packet in packets))
    heard, warnings = decode(tmp_path / "x.ts")
    begins = [0, len(said) // RATE + 1, len(said) // RATE + len(much) // RATE + 2]
    for at, sound in zip(begins, (said, much, said), strict=True):
        assert lag(heard[at * RATE :][: len(sound)], sound)[1] > 0.9
    assert any("audio tracks 1, 2 of 2" in warning for warning in warnings)


def mixed(together, *puts, count=2):
    """What comes of (track, samples, start) in this order."""
    mixer, pieces = Mixer(count, together=together), [np.zeros(0, np.float32)]
    for number, value, seconds, start in puts:
        mixer.put(number, np.full(round(seconds * RATE), value, np.float32), round(start * RATE))
        pieces += mixer.ready()
    pieces += mixer.finish()
    return np.concatenate(pieces)


def runs(audio):
    """(value, seconds) of the stretches that are the same."""
    edges = np.flatnonzero(np.diff(audio)) + 1
    return [(round(float(piece[0]), 3), len(piece) / RATE) for piece in np.split(audio, edges) if len(piece)]


def test_a_track_that_ends_holds_nothing_up_and_one_that_begins_late_is_silent_before():
    assert runs(mixed(True, (0, 0.1, 2, 0), (1, 0.2, 30, 0))) == [(pytest.approx(0.3), 2), (pytest.approx(0.2), 28)]
    assert runs(mixed(False, (0, 0.1, 4, 0), (1, 0.2, 4, 3))) == [(pytest.approx(0.1), 4), (pytest.approx(0.2), 3)]


def test_a_track_that_comes_too_late_loses_nothing_but_its_place():
    heard = mixed(False, (0, 0.0, 40, 0), (1, 0.2, 5, 0), (0, 0.0, 5, 0))
    assert runs(heard) == [(0.0, 20), (pytest.approx(0.2), 5), (0.0, 20)]


def test_a_track_that_ends_within_a_block_and_comes_back_keeps_its_place():
    heard = mixed(True, (0, 0.1, 1.1, 0), (1, 0.0, 60, 0), (0, 0.0, 48.9, 0), (0, 0.1, 10, 0))
    assert runs(heard) == [(pytest.approx(0.1), 1.1), (0.0, 48.9), (pytest.approx(0.1), 10)]


def test_what_waits_to_be_mixed_is_bounded():
    mixer = Mixer(3, together=True)
    for _ in range(600):
        mixer.put(0, np.ones(RATE, np.float32), 0)
        assert sum(map(len, mixer.ready())) <= RATE + RATE // 4
        assert sum(track.held for track in mixer._tracks) <= 21.5 * RATE


def test_tracks_are_gone_through_until_one_has_sound(tmp_path, said):
    """Each in another language, so that none stands in for another: the file is opened once more for each."""
    empty = np.zeros(0, np.float32)
    names = ("eng", "tha", "ger", "fre")
    path = write(tmp_path / "x.mkv", *(track(said if name == "fre" else empty, name) for name in names))
    heard, warnings = decode(path)
    assert (same(heard, said), warnings) == (True, [ONLY.format(4, 4)])


def test_a_long_hole_in_one_of_several_tracks_takes_no_memory(tmp_path, said):
    """A recorder that pauses: all of the hole comes with the packet behind it."""
    path = tmp_path / "x.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        for begin in (0, 1200 * RATE):
            for stream in streams:
                frame = av.AudioFrame.from_ndarray(np.full((1, RATE), 9_000, np.int16), "s16", "mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, begin, Fraction(1, RATE)
                container.mux(stream.encode(frame))
    with open_it(path) as stream:
        tracemalloc.start()
        try:
            heard = sum(len(block) for _, block in stream.blocks())
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert heard == 1201 * RATE
    assert most < 16 * 2**20


def test_a_file_of_hundreds_of_empty_tracks_is_not_read_hundreds_of_times():
    plain = {"codec_context": object(), "rate": RATE, "disposition": NONE, "metadata": {}}
    tracks = [types.SimpleNamespace(language=f"q{number}", **plain) for number in range(200)]
    groups = choose(tracks, Options()).groups
    assert len(groups) == 8
    assert groups[0] == (tracks[0],)
