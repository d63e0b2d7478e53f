"""What follows a first decoding, with a real Whisper `base`: without each of these rules one of these tests fails.

The sounds are made here. Noise is decoded as if the VAD had taken it for speech, and texts are short by a token limit, so
that all of it takes seconds.
"""

from __future__ import annotations

import ctranslate2
import numpy as np
import pytest

from sttd.part import Chunk, Options
from sttd.worker import LoadedModel
from sttd.worker.decoding.decoder import Decoder
from sttd.worker.decoding.items import prepare
from sttd.worker.speech.windows import Window
from tests import speech

RATE = speech.RATE
BRIEF = 40  # tokens
ANY_NOISE = 0.9999  # of `no_speech`: nothing is silence


class Watched:
    """A CTranslate2 model that notes the temperatures that it was asked for."""

    def __init__(self, model) -> None:
        self._model, self.asked = model, []

    def __getattr__(self, name: str):
        return getattr(self._model, name)

    def generate(self, *args, **options):
        self.asked.append(options["sampling_temperature"])
        return self._model.generate(*args, **options)


@pytest.fixture
def model(loaded):
    plain = loaded.whisper.model
    loaded.whisper.model = Watched(plain)
    ctranslate2.set_random_seed(1)
    yield loaded
    loaded.whisper.model = plain


def asked(model: LoadedModel) -> list[float]:
    """The temperatures of all decodings so far."""
    return model.whisper.model.asked


def hear(model: LoadedModel, audio: np.ndarray, **options) -> Chunk:
    window = Window(0, 0, len(audio), ((0, len(audio)),), audio.astype(np.float32))
    return Decoder(model, Options(**options)).decode([prepare(model.whisper, window)])[0]


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.01, round(seconds * RATE))


@pytest.mark.ci
@pytest.mark.parametrize("language", ["en", "th"])
def test_noise_is_silence_by_the_models_own_probability_of_it(model, language):
    """As English a guess, as Thai "thank you" up to the token limit; it is text where no probability is high enough."""
    only = {"language": language, "temperatures": (0.0,), "max_new_tokens": BRIEF}
    assert hear(model, noise(2), **only).segments == ()
    assert asked(model) == [0.0]
    assert hear(model, noise(2), **only, no_speech=ANY_NOISE).segments


@pytest.mark.ci
def test_a_loop_is_decoded_again_at_temperatures_until_it_is_none(model):
    chunk = hear(model, noise(2), language="th", no_speech=ANY_NOISE, max_new_tokens=BRIEF)
    assert asked(model)[:3] == [0.0, 0.0, 0.2]  # with a penalty it loops too
    assert chunk.segments
    assert all(segment.compression_ratio <= Options().compression_ratio for segment in chunk.segments)
    first = hear(model, noise(2), language="th", no_speech=ANY_NOISE, max_new_tokens=BRIEF, temperatures=(0.0,))
    assert min(segment.compression_ratio for segment in first.segments) > Options().compression_ratio


@pytest.mark.ci
def test_what_a_window_still_owes_is_decoded_until_nothing_is_missing(model):
    """A limit of tokens ends each text early; the rests and halves hold the other words."""
    recording = speech.compose(seed=7, seconds=20, language="en")
    chunk = hear(model, recording.audio, language="en", temperatures=(0.0,), max_new_tokens=BRIEF)
    heard = " ".join(segment.text for segment in chunk.segments)
    assert len(asked(model)) > 1
    whole = hear(model, recording.audio, language="en", temperatures=(0.0,))
    said = " ".join(segment.text for segment in whole.segments)
    assert abs(len(heard.split()) - len(said.split())) < 0.3 * len(said.split())
    assert chunk.segments[-1].end > len(recording.audio) / RATE - 3
