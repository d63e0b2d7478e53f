"""The real model that tests of decoding share."""

from __future__ import annotations

import pytest

from sttd.part import ModelSpec
from sttd.worker import load
from sttd.worker.model import LoadedModel
from tests.real import NO_EXTRA, weights


@pytest.fixture(scope="session")
def loaded(tmp_path_factory) -> LoadedModel:
    folder = weights.find("base")
    with pytest.MonkeyPatch.context() as patch:
        if folder is None:
            patch.setenv("STTD_REAL_CACHE", str(tmp_path_factory.mktemp("real")))
        try:
            folder = folder or weights.get("base", hub=False)
        except weights.NoWeights as error:
            pytest.skip(f"{NO_EXTRA}: {error}")
    # in float32: what int8 makes of noise is another thing on each kind of CPU
    return load(ModelSpec(str(folder), compute_type="float32"), lambda *_: None)
