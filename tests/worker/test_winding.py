"""Most of what lies before the first sample that is wanted is decoded, but not converted: the same samples come behind it."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sttd.part import SAMPLE_RATE
from sttd.worker.audio import resample
from sttd.worker.audio.resample import At16k
from tests import speech
from tests.worker.test_audio import decode, open_it

RATES = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000]
SOME_RATES = [22_050, 32_000]  # which others stand for: half of 44.1 kHz, twice 16 kHz


@pytest.fixture(scope="module")
def said() -> speech.Recording:
    return speech.compose(seconds=25, seed=3)


@pytest.fixture(autouse=True)
def soon(monkeypatch) -> None:
    """Short recordings will do."""
    monkeypatch.setattr(resample, "_WARM_MIX", 8.0)


def wound(path: Path, first: int, **options) -> tuple[np.ndarray, int, list[str]]:
    """What a part gives that begins there: the samples, the first one that came of the conversion, and the warnings."""
    with open_it(path, **options) as stream:
        found = [block for _, block in stream.blocks(first, own=(first / SAMPLE_RATE, float("inf")))]
        return np.concatenate([np.zeros(0, np.float32), *found]), stream._sounds[0].first, stream.warnings


@pytest.mark.parametrize("channels", [1, pytest.param(2, marks=pytest.mark.ci)])
@pytest.mark.parametrize(
    ("kind", "rate"),
    [
        *(("wav", rate) for rate in RATES if rate not in SOME_RATES),
        *(pytest.param("wav", rate, marks=pytest.mark.ci) for rate in SOME_RATES),
        ("flac", 44_100), ("mp3", 44_100), ("m4a", 44_100), pytest.param("mkv", 44_100, marks=pytest.mark.ci),
        ("opus", 48_000), ("ts", 48_000), ("aac", 22_050),
    ],
)  # fmt: skip
def test_the_samples_behind_any_place_are_those_of_a_conversion_of_all(tmp_path, said, kind, rate, channels):
    path = speech.encode(tmp_path / f"x.{kind}", said.audio[: 16 * SAMPLE_RATE], rate, channels)
    whole, _ = decode(path)
    for first in [*np.random.default_rng(rate).integers(1, len(whole), 3).tolist(), 16_001, len(whole) - 100]:
        found, begin, warnings = wound(path, first)
        assert np.array_equal(found, whole[first:])
        assert begin in (0, first)
        assert warnings == []
        # seconds; of 11,025 Hz only each 44th second falls on a sample of 16 kHz and on a hop of the mix
        least = (60.0 if rate == 11_025 else 9.5) if channels == 2 else 1.5
        assert begin == first or not least * SAMPLE_RATE < first < len(whole) - SAMPLE_RATE


@pytest.mark.ci
@given(st.sampled_from(RATES), st.integers(SAMPLE_RATE, 4 * SAMPLE_RATE), st.lists(st.integers(1, 30_000), min_size=1))
@settings(max_examples=25, deadline=None)
def test_any_frames_and_any_place(rate, first, sizes):
    """However the sound comes in frames: the phase of the filter is that of a conversion from the beginning."""
    audio = np.random.default_rng(first).normal(0, 0.2, 6 * rate).astype(np.float32)

    def converted(start: int) -> np.ndarray:
        conversion, made, at = At16k(first=start), [], 0
        for size in itertools.cycle(sizes):
            frame = av.AudioFrame.from_ndarray(audio[None, at : at + size], "flt", "mono")
            frame.sample_rate = rate
            made += conversion.convert(frame)
            at += size
            if at >= len(audio):
                break
        made += conversion.finish()
        return np.concatenate(made)[0 if conversion.first else start :]

    whole = converted(0)
    assert np.array_equal(converted(first), whole[first:])


@pytest.mark.parametrize("fault", ["delay", "gap", "end"])
def test_what_cannot_be_passed_over_is_converted(tmp_path, said, fault):
    """A late start, a hole, the very end: the conversion begins again there, and all of it is needed."""
    more = {"delay": {"delay": 3.0}, "gap": {"gaps": [(5.0, 2.0)]}, "end": {}}[fault]
    path = speech.encode(tmp_path / "x.mkv", said.audio, 44_100, **more)
    whole, _ = decode(path)
    for first in (len(whole),) if fault == "end" else (10 * SAMPLE_RATE, 12 * SAMPLE_RATE + 7):
        found, begin, warnings = wound(path, first)
        assert np.array_equal(found, whole[first:])
        assert (begin, warnings) == (0, [])


def test_a_hole_behind_the_place_is_where_it_was(tmp_path, said):
    path = speech.encode(tmp_path / "x.mkv", said.audio, 44_100, gaps=[(15.0, 2.0)])
    whole, _ = decode(path)
    found, begin, _ = wound(path, 10 * SAMPLE_RATE + 1)
    assert np.array_equal(found, whole[10 * SAMPLE_RATE + 1 :])
    assert begin == 10 * SAMPLE_RATE + 1


def test_channels_that_cancel_each_other_are_converted_from_the_beginning(tmp_path, said):
    """How they are mixed depends on all that was heard."""
    path = speech.encode(tmp_path / "x.flac", np.stack((said.audio, -said.audio)), 44_100)
    whole, _ = decode(path)
    found, begin, warnings = wound(path, 15 * SAMPLE_RATE)
    assert np.array_equal(found, whole[15 * SAMPLE_RATE :])
    assert begin == 0
    assert "cancel each other" in warnings[0]


def test_an_attempt_that_goes_on_tells_of_all_that_was_before_it(tmp_path, said):
    """So a mix is made anew from the beginning; a later part leaves that to the one before."""
    audio = np.stack((said.audio, -said.audio))
    audio[1, 5 * SAMPLE_RATE :] = audio[0, 5 * SAMPLE_RATE :]
    path = speech.encode(tmp_path / "x.flac", audio, 16_000)
    whole, told = decode(path)
    assert "cancel each other" in told[0]
    found, warnings = decode(path, 20 * SAMPLE_RATE)
    assert np.array_equal(found, whole[20 * SAMPLE_RATE :])
    assert warnings == told


def test_channels_that_are_kept_apart_are_converted_from_the_beginning(tmp_path, said):
    path = speech.encode(tmp_path / "x.flac", np.stack((said.audio, said.audio[::-1])))
    with open_it(path, channels="split") as stream:
        whole = np.concatenate([block for _, block in stream.blocks()], axis=1)
    with open_it(path, channels="split") as stream:
        found = np.concatenate([block for _, block in stream.blocks(10 * SAMPLE_RATE)], axis=1)
    assert np.array_equal(found, whole[:, 10 * SAMPLE_RATE :])


def test_damage_before_the_place_costs_what_it_did_and_is_told_of_by_another_part(tmp_path, said):
    path = speech.encode(tmp_path / "x.mp3", said.audio, 44_100)
    data = bytearray(path.read_bytes())
    data[len(data) // 4 : len(data) // 4 + 2000] = bytes(2000)
    path.write_bytes(data)
    whole, told = decode(path)
    found, begin, warnings = wound(path, 12 * SAMPLE_RATE)
    assert np.array_equal(found, whole[12 * SAMPLE_RATE :])
    assert "damaged packet" in told[0]
    assert (begin, warnings) == (12 * SAMPLE_RATE, [])
