"""Whoever speaks in any channel is in the mix, whatever the others hold, and nothing else changes it."""

import wave

import numpy as np
import pytest

from sttd.part import SAMPLE_RATE, Options
from sttd.worker.audio.channels import Channels
from sttd.worker.audio.opening import open_recording
from tests import speech

STEREO = ["FL", "FR"]
SURROUND = ["FL", "FR", "FC", "LFE", "BL", "BR"]
NO_PLACE = "NONE"


@pytest.fixture(scope="module")
def voice():
    return speech.compose(seconds=8, seed=2, noise=1e-5).audio


def noise(count, size, level):
    return np.random.default_rng(3).normal(0, 10 ** (level / 20), (count, size)).astype(np.float32)


def mixed(names, channels, pieces=5_000):
    mixer = Channels(names, SAMPLE_RATE)
    found = [mixer.mix(channels[:, at : at + pieces]) for at in range(0, channels.shape[1], pieces)]
    return np.concatenate([*found, mixer.finish()]), mixer


def level(audio):
    return 10 * np.log10(np.mean(audio**2) + 1e-12)


def likeness(audio, voice):
    return abs(np.corrcoef(audio, voice)[0, 1])


@pytest.mark.parametrize("pieces", [100, 5_000, 100_000])
def test_the_mix_is_as_long_as_the_sound_and_the_same_for_any_pieces(voice, pieces):
    channels = np.stack([voice, -0.8 * voice, 0.1 * voice])[:, :50_003]
    found, _ = mixed([NO_PLACE] * 3, channels, pieces)
    assert found.shape == (50_003,)
    assert np.allclose(found, mixed([NO_PLACE] * 3, channels, 7_777)[0], atol=1e-6)


def test_stereo_is_mixed_as_ffmpeg_does(voice):
    other = np.roll(voice, 30_000)
    found, mixer = mixed(STEREO, np.stack([voice, other]))
    assert np.allclose(found, (voice + other) / 2**0.5, atol=1e-5)
    assert not mixer.turned


def test_surround_sound_keeps_its_gains(voice):
    channels = noise(6, len(voice), -50)
    channels[2] += voice
    found, _ = mixed(SURROUND, channels)
    assert np.allclose(found, np.array([0.5**0.5, 0.5**0.5, 1, 0, 0.5, 0.5]) @ channels, atol=1e-5)


@pytest.mark.parametrize("turned", [-1.0, -0.9])
def test_a_channel_that_is_turned_over_cancels_nothing(voice, turned):
    found, mixer = mixed(STEREO, np.stack([voice, turned * voice]))
    assert level(found) > level(voice) - 1
    assert likeness(found, voice) > 0.999
    assert mixer.turned


@pytest.mark.parametrize("used", range(6))
def test_a_voice_in_any_channel_is_heard(voice, used):
    """In what counts as the subwoofer too."""
    channels = noise(6, len(voice), -60)
    channels[used] += voice
    found, mixer = mixed(SURROUND, channels)
    assert level(found) > level(voice) - 7
    assert likeness(found, voice) > 0.98
    assert not mixer.turned


@pytest.mark.parametrize("count", [3, 9, 64])
def test_a_lone_voice_among_many_channels_is_as_loud_as_it_was(voice, count):
    channels = noise(count, len(voice), -50)
    channels[count - 1] += voice
    found, _ = mixed([NO_PLACE] * count, channels)
    assert level(found) > level(voice) - 4
    assert likeness(found, voice) > 0.98


def test_hum_in_all_the_others_does_not_drown_it(voice):
    hum = 0.05 * np.sin(np.arange(len(voice)) * 2 * np.pi * 200 / SAMPLE_RATE).astype(np.float32)
    channels = np.tile(hum, (16, 1)) * np.linspace(-1, 1, 16, dtype=np.float32)[:, None]
    channels[5] = voice
    found, _ = mixed([NO_PLACE] * 16, channels)
    assert likeness(found, voice) > 0.95


def test_two_who_speak_by_turns_are_both_heard(voice):
    channels = noise(16, 2 * len(voice), -60)
    channels[3, : len(voice)] += voice
    channels[9, len(voice) :] += voice
    found, _ = mixed([NO_PLACE] * 16, channels)
    for half in np.split(found, 2):
        assert level(half) > level(voice) - 4
        assert likeness(half, voice) > 0.95


def test_samples_that_are_no_numbers_spoil_what_follows_for_nobody(voice):
    channels = np.stack([voice, -voice])
    channels[:, 2_000:2_010] = np.nan
    found, _ = mixed(STEREO, channels)
    assert likeness(found[20_000:], voice[20_000:]) > 0.999


@pytest.mark.parametrize(("count", "used"), [(3, 2), (6, 3), (8, 3), (9, 0), (64, 7)])
def test_a_file_whose_channels_have_no_places_is_heard(tmp_path, voice, count, used):
    """Of field recorders and mixing desks."""
    channels = np.zeros((len(voice), count), np.int16)
    channels[:, used] = np.clip(voice, -1, 1) * 32767
    path = tmp_path / "poly.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((count, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(channels.tobytes())
    found = path.stat()
    with open_recording(str(path), found.st_size, found.st_mtime_ns, Options(), lambda: None) as stream:
        heard = np.concatenate([block for _, block in stream.blocks()])
        assert stream.warnings == []
    assert len(heard) == len(voice)
    assert likeness(heard, voice) > 0.99
    assert level(heard) > level(voice) - 1


def test_a_file_whose_channels_cancel_says_so(tmp_path, voice):
    path = tmp_path / "balanced.wav"
    samples = (np.clip(voice, -1, 1) * 32767).astype(np.int16)
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(np.stack([samples, -samples], axis=1).tobytes())
    found = path.stat()
    with open_recording(str(path), found.st_size, found.st_mtime_ns, Options(), lambda: None) as stream:
        heard = np.concatenate([block for _, block in stream.blocks()])
        assert stream.warnings == [
            "channels cancel each other, one is turned over: they were mixed the right way round"
        ]
    assert likeness(heard, voice) > 0.99


LOW = 1_000  # Hz; quick


def from_second(channels, begin):
    mixer = Channels(STEREO, LOW)
    return np.concatenate([mixer.mix(channels[:, begin * LOW :]), mixer.finish()])


@pytest.mark.parametrize("early", ["muted", "turned over"])
def test_what_was_more_than_three_minutes_ago_means_nothing(early):
    """A part mixes no more than that before its beginning. Zeros once were the noise for ever, and a sign was kept."""
    at = np.arange(360 * LOW) / LOW
    random = np.random.default_rng(4)
    voice = random.normal(0, 0.05, len(at)) * (at % 2 < 1)
    sides = random.normal(0, 1e-4, (2, len(at)))
    if early == "muted":
        pause = (at > 225) & (at < 300)
        hum = 0.01 * np.sin(at * 2 * np.pi * 200)
        sides += voice * ~pause + hum * np.array([[1.0], [-1.0]])
        sides[:, 20 * LOW : 21 * LOW] = 0
    else:
        sides += voice * np.array([np.where(at < 300, 1, 0.8), np.where(at < 30, -0.8, np.where(at < 300, 0.8, -1))])
    channels = sides.astype(np.float32)
    whole, later = from_second(channels, 0), from_second(channels, 40)
    assert np.array_equal(whole[220 * LOW :], later[180 * LOW :])
    assert not np.array_equal(whole[: 180 * LOW], later[: 180 * LOW])
