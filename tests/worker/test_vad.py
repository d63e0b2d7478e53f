"""The streaming detector hears what faster-whisper's hears."""

import numpy as np
from faster_whisper.vad import get_vad_model

from sttd.worker.speech.cutting import FRAME
from sttd.worker.speech.vad import Silero
from tests import speech


def frames_of(audio):
    return audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME)


def test_frames_heard_in_groups_are_heard_as_in_one_piece():
    frames = frames_of(speech.compose(seconds=20, seed=5).audio)
    whole = get_vad_model()(np.append(frames.ravel(), np.zeros(FRAME, np.float32)))[: len(frames)]
    detector = Silero()
    heard = [detector.probabilities(frames[at : at + 7]) for at in range(0, len(frames), 7)]
    assert np.allclose(np.concatenate(heard), whole, atol=1e-5)
    assert whole.max() > 0.9 > 0.1 > whole.min()


def test_after_a_reset_nothing_is_remembered():
    frames = frames_of(speech.sample("english"))
    detector = Silero()
    first = detector.probabilities(frames)
    assert not np.array_equal(first, detector.probabilities(frames))
    detector.reset()
    assert np.array_equal(first, detector.probabilities(frames))


def test_two_streams_do_not_disturb_each_other():
    english, thai = frames_of(speech.sample("english")), frames_of(speech.sample("thai"))
    alone = Silero().probabilities(english)
    left, right = Silero(), Silero()
    halves = [left.probabilities(english[:40])]
    right.probabilities(thai)
    halves.append(left.probabilities(english[40:]))
    assert np.allclose(np.concatenate(halves), alone, atol=1e-6)
