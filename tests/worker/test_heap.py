"""What keeps a worker as small after hours as after minutes. Nothing here looks at a clock."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from sttd.part import ModelSpec
from sttd.worker import heap, load
from sttd.worker.decoding.items import prepare
from sttd.worker.speech.windows import Window


@pytest.fixture(scope="module")
def model():
    return load(ModelSpec("demo"), lambda *_: None)


def test_a_window_that_waits_for_the_model_holds_its_features_alone(model):
    samples = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    tracemalloc.start()
    try:
        prepared = prepare(model.whisper, Window(0, 0, 16_000, ((0, 16_000),), samples.copy()))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert prepared.features.shape == (80, 100)
    assert held < prepared.features.nbytes / 2  # pages beside the heap are not numpy's


def test_what_lies_beside_the_heap_outlives_what_it_was_copied_from():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    copy = heap.copied(array[:, ::2])
    array[:] = 0
    assert copy[:, 1:].tolist() == [[2.0], [5.0]]
    assert heap.copied(np.zeros((80, 0), np.float32)).shape == (80, 0)
