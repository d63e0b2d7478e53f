"""Whisper's features, made in slices."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from sttd.worker.decoding.features import log_mel
from tests import speech


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize("count", [160, 1000, 16_001, 20_480, 26 * 16_000])
def test_features_are_those_of_faster_whisper_to_the_bit(bands, count):
    extractor = FeatureExtractor(feature_size=bands)
    samples = np.concatenate([speech.sample("english")] * 20)[:count].astype(np.float32)
    theirs, ours = extractor(samples), log_mel(extractor, samples)
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


def test_features_of_a_window_take_few_megabytes_beside_it():
    extractor, samples = FeatureExtractor(), np.zeros(26 * 16_000, np.float32)
    tracemalloc.start()
    try:
        log_mel(extractor, samples)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20  # faster-whisper's own: 25
