"""The detector hears speech at any level and under rumble, and nothing in noise; what is skipped is counted."""

import numpy as np
import pytest

from sttd.outbox.passed_over import FRAME as SECONDS, PassedOver, warnings
from sttd.part import SAMPLE_RATE
from sttd.worker.speech.cutting import FRAME
from sttd.worker.speech.front import LevelledSilero
from sttd.worker.speech.passed_over import levels
from sttd.worker.speech.windows import windows
from tests import speech


@pytest.fixture(scope="module")
def said() -> speech.Recording:
    return speech.compose(seconds=40, pauses=(0.3, 2.0), seed=3, noise=1e-5)


def gained(audio, decibels):
    return audio * np.float32(10 ** (decibels / 20))


def noise(seconds, low=0.0, high=8000.0, peak=-16.0):
    """Noise between two frequencies, its peak in dB of full scale."""
    count = round(seconds * SAMPLE_RATE)
    spectrum = np.fft.rfft(np.random.default_rng(1).normal(size=count))
    frequencies = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    found = np.fft.irfft(np.where((frequencies >= low) & (frequencies <= high), spectrum, 0), count)
    return gained((found / np.abs(found).max()).astype(np.float32), peak)


def blocks_of(audio):
    return ((at, audio[at : at + SAMPLE_RATE]) for at in range(0, len(audio), SAMPLE_RATE))


def spans_of(audio):
    return [span for window in windows(blocks_of(audio), 0, 0, 0.5) for span in window.spans]


def lost(recording, spans):
    """Seconds of the recording's phrases that are in no span."""
    inside = np.zeros(len(recording.audio), bool)
    for first, last in spans:
        inside[first:last] = True
    said = np.zeros(len(recording.audio), bool)
    for phrase in recording.phrases:
        said[round(phrase.start * SAMPLE_RATE) : round(phrase.end * SAMPLE_RATE)] = True
    return np.count_nonzero(said & ~inside) / SAMPLE_RATE


@pytest.mark.parametrize("decibels", [0, -24, -50, -60])
def test_speech_is_heard_at_any_level(said, decibels):
    assert lost(said, spans_of(gained(said.audio, decibels))) < 0.5


@pytest.mark.parametrize("decibels", [-16, -40])
def test_speech_is_heard_under_rumble_that_is_as_loud(said, decibels):
    audio = gained(said.audio, decibels) + noise(said.seconds, 15, 90, decibels)[: len(said.audio)]
    assert lost(said, spans_of(audio)) < 0.5


@pytest.mark.parametrize("peak", [-10, -60, -90])
@pytest.mark.parametrize("low", [15, 300])
def test_noise_is_no_speech_however_far_it_is_raised(low, peak):
    assert spans_of(noise(20, low, 90 if low == 15 else 6000, peak)) == []


def test_knocks_are_no_speech():
    audio = noise(20, peak=-80)
    for at in np.random.default_rng(2).integers(0, len(audio) - 800, 50):
        audio[at : at + 800] += noise(0.05, peak=-30)[:800] * np.exp(-np.arange(800) / 120).astype(np.float32)
    assert spans_of(audio) == []


@pytest.mark.parametrize("peak", [-16, -56])
def test_music_is_no_speech(peak):
    """Chords that are struck twice a second, with overtones as those of a voice."""
    draw, seconds = np.random.default_rng(1), np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    audio = np.zeros(len(seconds))
    for first in range(0, len(seconds), SAMPLE_RATE // 2):
        since = seconds[: len(seconds) - first]
        for note in 110 * 2 ** (draw.choice([0, 3, 5, 7, 10, 12, 15, 17, 19], 4) / 12):
            for overtone in range(1, 6):
                sound = np.exp(-2.5 * since) * np.sin(2 * np.pi * note * overtone * since) / overtone**1.5
                audio[first:] += np.minimum(since / 0.01, 1) * sound
    assert spans_of(gained((audio / np.abs(audio).max()).astype(np.float32), peak)) == []


def test_groups_and_pieces_are_heard_alike(said):
    frames = said.audio[: 200 * FRAME].reshape(-1, FRAME)
    whole, pieces = LevelledSilero(), LevelledSilero()
    found = np.concatenate([pieces.probabilities(frames[at : at + 7]) for at in range(0, len(frames), 7)])
    assert np.allclose(whole.probabilities(frames), found, atol=1e-3)


def test_after_a_reset_a_detector_is_as_new(said):
    frames = said.audio[: 100 * FRAME].reshape(-1, FRAME)
    detector = LevelledSilero()
    first = detector.probabilities(frames)
    detector.reset()
    assert np.array_equal(first, detector.probabilities(frames))


def test_much_sound_that_is_taken_for_no_speech_is_told():
    quiet, loud = noise(60, peak=-80), noise(70, peak=-20)
    passed = PassedOver()
    passed.add(levels(quiet, []))
    assert warnings(passed.seconds) == ()
    passed.add(levels(loud, []))
    assert passed.seconds == pytest.approx(70, abs=1)
    (told,) = warnings(passed.seconds)
    assert told.startswith(f"{passed.seconds:.0f} s of sound")
    assert "transcribe.vad = false" in told


def test_speech_rumble_and_noise_are_not_told():
    passed = PassedOver()
    passed.add(levels(noise(60, peak=-80), []))
    passed.add(levels(noise(100, peak=-20), [(0, 100 * SAMPLE_RATE)]))
    passed.add(levels(noise(100, 15, 90, -30) + noise(100, peak=-80), []))
    assert warnings(passed.seconds) == ()
    steady = PassedOver()
    for _ in range(3):
        steady.add(levels(noise(100, peak=-20), []))
    assert warnings(steady.seconds) == ()


def test_a_hole_in_the_sound_is_no_measure_of_its_noise():
    """A gate, or a gap that was filled, is digital silence: the quiet room beside it is no sound for all that."""
    draw = np.random.default_rng(5)
    passed = PassedOver()
    said, room = (draw.normal(0, 10 ** (level / 20), 100 * FRAME).astype(np.float32) for level in (-20, -58))
    for _ in range(40):
        passed.add(levels(np.concatenate([said, room, np.zeros(100 * FRAME, np.float32)]), [(0, 100 * FRAME)]))
    assert (passed.seconds, warnings(passed.seconds)) == (0.0, ())


def test_the_length_of_a_frame_is_the_same_in_the_worker_and_where_results_are_written():
    assert SECONDS == FRAME / SAMPLE_RATE
