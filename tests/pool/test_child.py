"""The threads of one worker among several that cannot share the cores out evenly."""

from __future__ import annotations

import os

from sttd.part import Loaded, ModelSpec, Options, PartSpec
from sttd.pool.local.child import Child, Settings
from sttd.pool.wire import Decoder


def test_a_worker_with_a_core_more_than_the_others_loads_the_same_model_once_as_far_as_the_pool_knows():
    """Of ten cores three workers have 4, 3 and 3: the first one would else be taken for one with another model."""
    reading, writing = os.pipe()
    try:
        child = Child(writing, Settings(os.getpid(), 50, 60.0, more_threads=1, worker="tests.pool.scripted"))
        part = PartSpec("1.0", 1, "", 0, 0, ModelSpec("demo", cpu_threads=3), Options())
        model = child._model_for(part, {})
        assert model.loaded.spec.cpu_threads == 4
        assert child._model_for(part, {}) is model
        assert list(Decoder().feed(os.read(reading, 65536))) == [Loaded(part.model, "demo")]
    finally:
        os.close(reading)
        os.close(writing)
