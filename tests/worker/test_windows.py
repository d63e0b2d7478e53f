"""Windows: cut at silences, at most 30 s of speech, and the same ones wherever one begins."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sttd.part import SAMPLE_RATE
from sttd.worker.speech.cutting import FRAME, PAD, Bounds
from sttd.worker.speech.front import LevelledSilero
from sttd.worker.speech.vad import Silero
from sttd.worker.speech.windows import LEAD, Window, lead, windows
from tests import speech

LIMIT = Bounds().speech
SHORT = Bounds(speech=4 * SAMPLE_RATE, source=30 * SAMPLE_RATE, silence=10 * SAMPLE_RATE)
SMALL = Bounds(speech=20 * FRAME + 2 * PAD, source=120 * FRAME, silence=30 * FRAME)


class Loudness:
    """A detector that takes a frame's mean for its probability: what it says is written in the audio."""

    def reset(self):
        pass

    def probabilities(self, frames):
        return frames.mean(axis=1, dtype=np.float64).astype(np.float32)


class Listener(Loudness):
    """Keeps what it was given."""

    def __init__(self):
        self.heard = []

    def probabilities(self, frames):
        self.heard.append(frames.copy())
        return super().probabilities(frames)


def audio_of(runs, extra=0):
    """Audio of runs of (frames, probability), and some samples more than whole frames."""
    audio = np.concatenate([np.full(frames * FRAME, probability, np.float32) for frames, probability in runs])
    return np.concatenate((audio, np.full(extra, audio[-1], np.float32)))


def blocks_of(audio, start=0, size=5_000):
    return ((at, audio[at : at + size]) for at in range(lead(start), len(audio), size))


def cut(audio, start=0, index=0, size=5_000, bounds=None, **more):
    more = {"detector": Loudness()} | more
    bounds = {"bounds": bounds} if bounds else {}
    return list(windows(blocks_of(audio, start, size), start, index, 0.5, **more, **bounds))


def same(left, right):
    assert [(w.index, w.start, w.end, w.spans) for w in left] == [(w.index, w.start, w.end, w.spans) for w in right]
    assert all(np.array_equal(a.audio, b.audio) for a, b in zip(left, right, strict=True))


def test_a_recording_that_is_one_window_is_heard_whole():
    """Also the silence at both ends; not if there is a pause of more than a second besides the padding, nor if more follows."""
    speech_of, second, padding = [(40, 0.9)], SAMPLE_RATE // FRAME, PAD // FRAME
    for before, between, after in ((20, 30, 30), (second, 40, second + padding)):
        audio = audio_of([(before, 0), *speech_of, (between, 0), *speech_of, (after, 0)], extra=100)
        (window,) = cut(audio)
        assert window.spans == ((0, len(audio)),)
        assert np.array_equal(window.audio, audio)
    pause = second + 2 * padding + 3
    (window,) = cut(audio_of([(20, 0), *speech_of, (pause, 0), *speech_of, (20, 0)]))
    assert len(window.spans) == 2
    first, *_ = cut(audio_of([(20, 0), *speech_of, (20, 0)] * 4), bounds=SHORT)
    assert first.spans[0][0] > 0


def check_tiles(found: list[Window], audio, limit):
    """Every sample lies in one window; spans are in order, within their window, and are what `audio` holds."""
    assert [w.index for w in found] == list(range(len(found)))
    edges = [0, *(w.end for w in found)]
    assert [w.start for w in found] == edges[:-1]
    assert edges[-1] == len(audio)
    for window in found:
        assert window.end > window.start
        places = [window.start, *itertools.chain.from_iterable(window.spans), window.end]
        assert places == sorted(places), "spans do not overlap and lie within their window"
        assert all(first < last for first, last in window.spans)
        assert len(window.audio) <= limit
        joined = [audio[first:last] for first, last in window.spans]
        assert np.array_equal(window.audio, np.concatenate(joined) if joined else np.zeros(0, np.float32))


probabilities = st.sampled_from([0.0, 0.1, 0.3, 0.4, 0.45, 0.6, 0.9, 1.0])
recordings = st.builds(
    audio_of, st.lists(st.tuples(st.integers(1, 60), probabilities), min_size=1, max_size=25), st.integers(0, FRAME - 1)
)


@settings(max_examples=100, deadline=None)
@given(recordings)
def test_windows_tile_any_stream_and_hold_all_its_speech(audio):
    found = cut(audio, bounds=SMALL)
    check_tiles(found, audio, SMALL.speech)
    inside = np.zeros(len(audio), bool)
    for window in found:
        for first, last in window.spans:
            inside[first:last] = True
        assert window.end - window.start <= SMALL.source + SMALL.speech
    frames = audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME)
    loud = np.repeat(frames.min(axis=1) >= 0.5, FRAME)
    assert inside[: len(loud)][loud].all(), "no frame of speech is left out"


@settings(max_examples=100, deadline=None)
@given(recordings, st.data())
def test_a_run_resumed_at_any_window_cuts_as_the_undisturbed_one(audio, data):
    found = cut(audio, bounds=SMALL)
    number = data.draw(st.integers(0, len(found) - 1))
    size = data.draw(st.integers(1_000, 50_000))
    same(found[number + 1 :], cut(audio, found[number].end, number + 1, size, SMALL))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 900), probabilities), min_size=5, max_size=12), st.integers(0, FRAME - 1))
def test_windows_of_the_real_size_tile_too(runs, extra):
    audio = audio_of(runs, extra)
    check_tiles(cut(audio), audio, LIMIT)


def test_a_detector_hears_the_four_seconds_before_a_window_and_its_words_on_them_are_forgotten():
    audio = audio_of([(400, 0.9), (400, 0.0), (400, 0.9), (200, 0.0)])
    detector = Listener()
    (window,) = cut(audio, 700 * FRAME + 100, detector=detector)
    before, after = np.split(np.concatenate(detector.heard).ravel(), [LEAD])
    assert np.array_equal(before, audio[700 * FRAME + 100 - LEAD : 700 * FRAME + 100])
    assert np.array_equal(after[: len(audio) - window.start], audio[window.start :])
    assert len(window.spans) == 1, "the speech in the lead is no span of the window"


def test_near_the_beginning_a_detector_hears_as_many_whole_frames_as_there_are():
    audio = audio_of([(10, 0.9), (50, 0.0)])
    detector = Listener()
    cut(audio, 3 * FRAME + 100, detector=detector)
    assert np.array_equal(detector.heard[0].ravel(), audio[100 : 3 * FRAME + 100])


def test_an_empty_stream_has_no_windows():
    assert cut(np.zeros(0, np.float32)) == []


def test_spans_are_packed_and_the_silence_between_them_is_left_out():
    audio = audio_of([(50, 0.0), (100, 0.9), (100, 0.0), (100, 0.9), (50, 0.0)])
    (window,) = cut(audio)
    assert window.spans == ((50 * FRAME - PAD, 150 * FRAME + PAD), (250 * FRAME - PAD, 350 * FRAME + PAD))


def test_padding_is_halved_where_spans_are_near():
    audio = audio_of([(50, 0.0), (100, 0.9), (10, 0.0), (100, 0.9), (50, 0.0)])
    (window,) = cut(audio)
    middle = 155 * FRAME
    assert window.spans == ((50 * FRAME - PAD, middle), (middle, 260 * FRAME + PAD))


def test_a_longer_silence_may_be_asked_for_to_end_a_span():
    """Without it the pause of 0.96 s between the words would be left out, but for the padding."""
    audio = audio_of([(20, 0.9), (30, 0), (20, 0.9), (60, 0)])
    assert len(cut(audio)[0].spans) == 2
    assert len(cut(audio, silence=31 * FRAME)[0].spans) == 1


def test_a_dip_above_the_lower_threshold_does_not_end_a_span():
    (window,) = cut(audio_of([(50, 0.0), (100, 0.9), (20, 0.4), (100, 0.9), (50, 0.0)]))
    assert window.spans == ((50 * FRAME - PAD, 270 * FRAME + PAD),)


def test_a_span_that_does_not_fit_begins_the_next_window():
    audio = audio_of([(20, 0.0), (600, 0.9), (30, 0.0), (600, 0.9), (30, 0.0)])
    first, second = cut(audio)
    assert first.end == second.start == 650 * FRAME - PAD
    assert second.start <= second.spans[0][0] <= second.start + FRAME
    assert abs(second.spans[0][1] - (1250 * FRAME + PAD)) <= FRAME
    assert len(second.spans) == 1


def test_speech_without_end_is_cut_at_its_longest_silence():
    audio = audio_of([(400, 0.9), (4, 0.0), (200, 0.9), (3, 0.0), (600, 0.9)])
    assert cut(audio)[0].end == 402 * FRAME


def test_speech_without_silence_is_cut_at_its_quietest_frame_in_the_last_five_seconds():
    audio = audio_of([(300, 0.9), (1, 0.5), (390, 0.9), (1, 0.6), (10, 0.9), (1, 0.7), (600, 0.9)])
    assert cut(audio)[0].end == 691 * FRAME + FRAME // 2


def test_speech_that_is_all_alike_is_cut_as_late_as_can_be():
    first, *_ = cut(audio_of([(3000, 0.9)]))
    assert LIMIT - 2 * FRAME < first.end <= LIMIT


@settings(max_examples=50, deadline=None)
@given(recordings)
def test_without_a_detector_nothing_is_left_out(audio):
    """`transcribe.vad = false`."""
    found = cut(audio, bounds=SMALL, everything=True)
    check_tiles(found, audio, SMALL.speech)
    assert all(window.spans == ((window.start, window.end),) for window in found)


def test_without_a_detector_windows_still_end_in_pauses_and_are_long():
    audio = audio_of([(40, 0.0), (500, 0.9), (200, 0.0), (600, 0.9)])
    first, *_ = cut(audio, everything=True)
    assert 540 * FRAME < first.end < 740 * FRAME


def test_long_silence_gives_an_empty_window_a_minute():
    found = cut(np.zeros(200 * SAMPLE_RATE, np.float32))
    assert [w.spans for w in found] == [()] * 4
    assert all(59 <= (w.end - w.start) / SAMPLE_RATE <= 60.1 for w in found[:-1])


def test_padding_of_speech_after_an_empty_window_is_whole():
    audio = audio_of([(1876, 0.0), (50, 0.9), (50, 0.0)])
    empty, window = cut(audio)
    assert empty.spans == ()
    assert window.spans[0][0] <= 1876 * FRAME - PAD + FRAME  # the frames of the new window may lie otherwise


def test_a_window_closes_after_five_minutes_of_recording_though_it_has_room():
    found = cut(audio_of([(30, 0.9), (900, 0.0)] * 30))
    assert max(w.end - w.start for w in found) <= 301 * SAMPLE_RATE
    assert min(w.end - w.start for w in found[:-1]) >= 299 * SAMPLE_RATE


def test_only_a_window_of_audio_is_held():
    """Blocks are asked for only when they are needed, and what is behind a cut is given back."""
    asked = []

    def blocks():
        for at in range(0, 600 * SAMPLE_RATE, SAMPLE_RATE):
            asked.append(at)
            yield at, np.zeros(SAMPLE_RATE, np.float32)

    for window in windows(blocks(), 0, 0, 0.5, detector=Loudness()):
        assert asked[-1] - window.end <= 3 * SAMPLE_RATE


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.ci)])
def test_real_speech_is_cut_the_same_wherever_the_run_is_resumed(seed):
    audio = speech.compose(seconds=110, seed=seed).audio
    found = cut(audio, detector=None)
    check_tiles(found, audio, LIMIT)
    assert len(found) > 3
    for number in range(len(found) - 1):
        same(found[number + 1 :], cut(audio, found[number].end, number + 1, 7_777, detector=None))


def test_all_words_of_real_speech_are_in_the_spans():
    recording = speech.compose(seconds=120, pauses=(0.5, 6.0), seed=3)
    spans = [span for window in cut(recording.audio, detector=None) for span in window.spans]
    for phrase in recording.phrases:
        first, last = phrase.start * SAMPLE_RATE, phrase.end * SAMPLE_RATE
        covered = sum(max(0, min(last, end) - max(first, start)) for start, end in spans)
        assert covered > 0.97 * (last - first), phrase
    skipped = len(recording.audio) - sum(end - start for start, end in spans)
    assert skipped > 0.3 * len(recording.audio), "long pauses are left out"


@pytest.mark.parametrize(
    ("detector", "level"),
    [
        (Silero, -44),
        (LevelledSilero, -60),
        *(pytest.param(LevelledSilero, level, marks=pytest.mark.ci) for level in (0, -12, -24, -44)),
    ],  # -44: without a lead it loses 3 s
)
def test_no_speech_is_lost_where_a_window_begins(detector, level):
    """Whatever a detector that is never disturbed calls speech is in a span; the windows are short, so that there are many.

    `level`: in dB. A detector that starts afresh needs longer to believe in quiet speech.
    """
    audio = speech.compose(seconds=60, pauses=(0.05, 0.4), seed=1, noise=1e-5).audio * np.float32(10 ** (level / 20))
    frames = audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME)
    heard = detector().probabilities(frames) >= 0.5
    inside = np.zeros(len(audio), bool)
    found = cut(audio, detector=detector(), bounds=SHORT)
    assert len(found) > 10
    for first, last in (span for window in found for span in window.spans):
        inside[first:last] = True
    lost = np.repeat(heard, FRAME) & ~inside[: frames.size]
    assert np.count_nonzero(lost) == 0, f"{np.count_nonzero(lost) / SAMPLE_RATE:.2f} s"


def test_no_speech_is_lost_where_a_recording_begins():
    """People press the button while they talk. Compared with a detector that heard what came before."""
    audio = speech.compose(seconds=60, pauses=(0.05, 0.4), seed=1, noise=1e-5).audio * np.float32(10 ** (-24 / 20))
    frames = audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME)
    heard = LevelledSilero().probabilities(frames) >= 0.5
    lost = 0
    for first in range(LEAD, len(audio) - LEAD, 4 * SAMPLE_RATE // FRAME * FRAME):
        inside = np.zeros(LEAD, bool)
        for begin, end in (span for window in cut(audio[first : first + LEAD], detector=None) for span in window.spans):
            inside[begin:end] = True
        lost += np.count_nonzero(np.repeat(heard, FRAME)[first : first + LEAD] & ~inside)
    assert lost == 0, f"{lost / SAMPLE_RATE:.2f} s"
