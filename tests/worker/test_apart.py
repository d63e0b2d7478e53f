"""Channels that are kept apart: each with what is said in it alone, and nothing twice."""

from __future__ import annotations

import numpy as np
import pytest

from sttd.worker.audio.apart import Apart
from sttd.worker.speech.front import LevelledSilero
from tests import speech

RATE = speech.RATE
SETTLED = RATE // 2  # samples around a change


def voice(seed: int, language: str = "en", seconds: float = 12) -> np.ndarray:
    audio = speech.compose(seed=seed, seconds=seconds, language=language, noise=0.0).audio[: round(seconds * RATE)]
    return audio / np.abs(audio).max() * 0.3


def noise(*shape: int, level: float = 1e-4) -> np.ndarray:
    return np.random.default_rng(1).normal(0, level, shape)


def split(channels: np.ndarray, piece: int = RATE) -> tuple[np.ndarray, list[str]]:
    """TOGETHER and the channels, with what is said about them."""
    apart, audio = Apart(len(channels)), channels.astype(np.float32)
    found = list(apart.split((at, audio[:, at : at + piece]) for at in range(0, audio.shape[1], piece)))
    at = 0
    for position, block in found:
        assert position == at
        at += block.shape[1]
    return np.concatenate([block for _, block in found], axis=1), apart.remarks


def is_silent(audio: np.ndarray) -> bool:
    return not audio.any()


@pytest.mark.parametrize("piece", [700, 1600, 16_000, 50_001])
def test_it_is_as_long_as_the_sound_and_the_same_for_any_pieces(piece):
    call = np.stack([voice(1), 0.1 * voice(1)[::-1]]) + noise(2, 12 * RATE)
    call[:, 5 * RATE : 8 * RATE] = call[0, 5 * RATE : 8 * RATE]
    whole, _ = split(call[:, :-77], call.shape[1])
    pieces, _ = split(call[:, :-77], piece)
    assert whole.shape == (3, 12 * RATE - 77)
    assert np.array_equal(whole, pieces)


def test_two_voices_at_once_are_left_as_they_are():
    call = np.stack([voice(1), voice(2, "th")]) + noise(2, 12 * RATE)
    made, remarks = split(call)
    assert is_silent(made[0])
    assert np.array_equal(made[1:], call.astype(np.float32))
    assert remarks == []


@pytest.mark.parametrize("gain", [1.0, 0.6, -1.0])
def test_what_all_channels_have_is_nobodys(gain):
    """A mono recording that was saved as stereo, one channel of it quieter or turned over."""
    one = voice(1)
    made, remarks = split(np.stack([one, gain * one]) + noise(2, len(one)))
    assert np.abs(made[0] - one)[SETTLED:-SETTLED].max() < 1e-3
    loud = np.abs(one) > 0.02
    assert is_silent(made[1:, loud])
    assert remarks == ["the channels are alike: they were transcribed as one, without speakers"]


def test_an_announcement_to_both_sides_is_nobodys_and_what_follows_has_its_speaker():
    call = np.zeros((2, 36 * RATE))
    call[:, : 12 * RATE] = voice(1)
    call[0, 12 * RATE : 24 * RATE] = voice(2)
    call[1, 24 * RATE :] = voice(3)
    made, remarks = split(call + noise(2, call.shape[1]))
    for row, first in enumerate((0, 12, 24)):
        mine = slice(first * RATE + SETTLED, (first + 12) * RATE - SETTLED)
        assert np.sqrt(np.mean(made[row, mine] ** 2)) > 0.01
        others = [other for other in range(3) if other != row]
        assert np.sqrt(np.mean(made[others, mine] ** 2)) < 3e-4
    assert len(remarks) == 1
    assert remarks[0].endswith("s of the sound are alike in all channels, and have no speaker")


@pytest.mark.parametrize("decibels", [-8, -20, -40])
def test_a_voice_that_the_other_microphone_hears_too_is_there_once(decibels):
    left, right = np.concatenate([voice(1), 0 * voice(1)]), np.concatenate([0 * voice(2), voice(2)])
    bleed = 10 ** (decibels / 20)
    made, remarks = split(np.stack([left + bleed * right, right + bleed * left]) + noise(2, len(left)))
    half = len(left) // 2
    assert np.sqrt(np.mean(made[1, : half - SETTLED] ** 2)) > 0.01
    assert np.abs(made[2, : half - SETTLED]).max() < 1e-3
    assert np.sqrt(np.mean(made[2, half + SETTLED :] ** 2)) > 0.01
    assert np.abs(made[1, half + SETTLED :]).max() < 1e-3
    assert remarks == []


@pytest.mark.parametrize("louder", [0, -4])
def test_a_voice_that_comes_to_a_second_microphone_through_the_room_is_there_once(louder):
    """1.5 m away and with its echoes, which are as loud as itself, or less."""
    one = voice(1)
    tail = np.random.default_rng(2).normal(size=RATE // 4) * 10 ** (-3 * np.linspace(0, 1, RATE // 4))
    room = np.concatenate([np.zeros(70), [1.0], 10 ** (louder / 20) * tail / np.sqrt(np.sum(tail**2))])
    there = 0.2 * np.convolve(one, room)[: len(one)]
    made, _ = split(np.stack([one, there]) + noise(2, len(one)))
    loud = np.abs(there) > 0.02
    assert np.mean(made[2, loud] != 0) < 0.1
    assert np.mean(made[1, np.abs(one) > 0.02] != 0) > 0.99


def test_a_channel_without_sound_and_one_that_only_repeats_are_told():
    one = voice(1)
    made, remarks = split(np.stack([one, 0 * one, 0.1 * one]))
    assert np.array_equal(made[1], one.astype(np.float32))
    assert is_silent(made[[0, 2]])
    assert np.abs(made[3]).max() < 0.01
    assert remarks == ["channel 2 has no sound", "channel 3 has only what a louder one has too: it was left out"]


def test_nobody_listens_to_digital_silence_but_the_gain_rises_through_it(monkeypatch):
    """The other side of a call speaks meanwhile; what comes behind it may be far from the microphone."""
    detector, heard = LevelledSilero(), []
    frames = np.zeros((20 * 32, 512), np.float32)
    frames[:32] = voice(1)[: 32 * 512].reshape(-1, 512)
    silero = detector._silero
    monkeypatch.setattr(
        silero, "probabilities", lambda group, real=silero.probabilities: heard.append(group) or real(group)
    )
    found = np.concatenate([detector.probabilities(frames[at : at + 32]) for at in range(0, len(frames), 32)])
    assert len(heard) == 2  # the voice, and what the filter has kept of it
    assert found[:32].max() > 0.5
    assert not found[64:].any()
    assert detector._gain is not None
    assert detector._gain > 40
