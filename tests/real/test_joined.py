"""Joined recordings are the same for the same seed, and each condition changes what it says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.real import NO_EXTRA

pytest.importorskip("rapidfuzz", reason=NO_EXTRA)

from faster_whisper import decode_audio

from tests import speech
from tests.real.corpus import Clip
from tests.real.joined import RATE, joined


def made_of(names, cache) -> dict[str, Clip]:
    """Joined recordings by group, of these of the demo's samples."""
    clips = [
        Clip(speech.SAMPLES / f"{name}.flac", name, "demo", speech.language(name), " ".join(speech.words(name)))
        for name in names
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STTD_REAL_CACHE", str(cache))
        return {clip.group: clip for clip in joined(clips, 20, 1, seed=1)}


@pytest.mark.ci
def test_each_kind_comes_in_each_condition_with_the_text_that_is_said(tmp_path):
    made = made_of(speech.names(), tmp_path)
    assert len(made) == 3 * 4
    assert {clip.language for clip in made.values()} == {"en", "th", "mul"}
    for kind in ("en", "th", "mixed"):
        conditions = [clip for group, clip in made.items() if group.startswith(f"long {kind}")]
        assert len({clip.text for clip in conditions}) == 1
        lengths = [len(decode_audio(str(clip.path))) / RATE for clip in conditions]
        assert min(lengths) >= 20
        assert max(lengths) - min(lengths) < 0.1


def test_lower_is_lower_and_rumble_lies_below_the_voice(tmp_path):
    made = made_of(speech.names("en")[:8], tmp_path)
    plain, lower, rumble = (
        decode_audio(str(made[f"long en, {condition}"].path)) for condition in ("as it is", "12 dB lower", "rumble")
    )
    assert 20 * np.log10(np.abs(lower).max() / np.abs(plain).max()) == pytest.approx(-12, abs=0.2)
    power = np.abs(np.fft.rfft(rumble)) ** 2
    low = np.fft.rfftfreq(len(rumble), 1 / RATE) < 90
    assert power[low].sum() > power[~low].sum()
