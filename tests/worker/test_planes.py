"""Frames of every form give their samples, and silence of the same form."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sttd.part import SAMPLE_RATE
from sttd.worker.audio import planes
from tests.worker.odd_files import undecodable
from tests.worker.test_audio import open_it

RATE = 48_000
FORMS = ("u8", "u8p", "s16", "s16p", "s32p", "flt", "fltp", "dblp")
LAYOUTS = ("mono", "stereo", "6.1", "7.1", "7.1.4", "hexadecagonal")


def noise(layout: str, samples: int) -> av.AudioFrame:
    count = av.AudioLayout(layout).nb_channels
    sound = np.random.default_rng(0).integers(-9_000, 9_000, (1, samples * count)).astype("<i2")
    frame = av.AudioFrame.from_ndarray(sound, "s16", layout)
    frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
    return frame


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_frame_has_the_same_samples_and_its_silence_is_silent(form, layout):
    plain = noise(layout, 1_000)
    (frame,) = av.AudioResampler(form, layout, RATE).resample(plain)
    found = planes.samples_of(frame)
    assert np.abs(found - planes.samples_of(plain)).max() < 0.01
    silent = planes.silent(frame, 300)
    assert (silent.format.name, silent.layout.name, silent.sample_rate) == (form, frame.layout.name, RATE)
    assert np.array_equal(planes.samples_of(silent), np.zeros((len(found), 300)))


def test_a_recording_of_eight_channels_is_heard_and_damage_in_it_costs_the_damaged_packets(tmp_path: Path):
    """PyAV shows a ninth plane of its frames, and whoever reads that is killed."""
    path = tmp_path / "x.m4a"
    with av.open(str(path), "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.layout, stream.bit_rate = "7.1", 400_000
        container.mux(stream.encode(noise("7.1", 4 * RATE)))
        container.mux(stream.encode(None))
    for file, told in (
        (path, []),
        (undecodable(path, tmp_path / "spoilt.m4a", 1), ["1 damaged packet was left out, at 0:00:02"]),
    ):
        with open_it(file) as stream:
            blocks = [block for _, block in stream.blocks()]
            assert stream.warnings == told
        assert sum(map(len, blocks)) == pytest.approx(4 * SAMPLE_RATE, abs=0.1 * SAMPLE_RATE)
        assert np.std(blocks[0]) > 0.01
