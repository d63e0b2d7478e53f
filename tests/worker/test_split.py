"""A part whose channels are kept apart: each window is of one channel, a batch of all, and the text is that of each alone."""

from __future__ import annotations

import dataclasses
import itertools
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sttd.part import Chunk, Chunks, Done, ModelSpec, Options, PartSpec, Place, Progress
from sttd.worker import LoadedModel, load, run_part
from sttd.worker.audio.mix import Mixer
from sttd.worker.audio.resample import _fitted
from sttd.worker.speech.side_by_side import side_by_side
from sttd.worker.speech.windows import LEAD, Window
from tests import speech

RATE = speech.RATE
SPLIT = Options(temperatures=(0.0,), beam_size=1, channels="split", batch_size=2)


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load(ModelSpec("demo"), lambda *_: None)


class Call:
    """English on one side and Thai on the other, by turns, with a word of each at the same time."""

    def __init__(self) -> None:
        self.sides = [
            speech.compose(seed=1, seconds=45, language="en"),
            speech.compose(seed=2, seconds=40, language="th"),
        ]
        first, second = (side.audio for side in self.sides)
        begin = len(first) - 3 * RATE
        self.audio = np.random.default_rng(0).normal(0, 1e-4, (2, begin + len(second)))
        self.audio[0, : len(first)] += first
        self.audio[1, begin:] += second


@pytest.fixture(scope="module")
def call() -> Call:
    return Call()


@pytest.fixture(scope="module")
def path(tmp_path_factory, call) -> Path:
    return speech.encode(tmp_path_factory.mktemp("split") / "call.flac", call.audio)


def run(path: Path, model: LoadedModel, options: Options = SPLIT, **changes) -> list:
    seen = path.stat()
    order = PartSpec("1.0", 1, str(path), seen.st_size, seen.st_mtime_ns, model.loaded.spec, options)
    return list(run_part(dataclasses.replace(order, **changes), model))


def chunks(events: list) -> list[Chunk]:
    return [chunk for event in events if isinstance(event, Chunks) for chunk in event.chunks]


def of(channel: int, found: list[Chunk]) -> list[Chunk]:
    return [chunk for chunk in found if chunk.channel == channel]


def text(found: list[Chunk]) -> str:
    return " ".join(segment.text for chunk in found for segment in chunk.segments)


def same(found: list[Chunk]) -> list[Chunk]:
    """But for the number, which says only in which order they were decoded."""
    return [dataclasses.replace(chunk, index=0) for chunk in sorted(found, key=lambda each: (each.channel, each.start))]


class Counting:
    """The model, and how many windows went through its encoder."""

    def __init__(self, whisper) -> None:
        self._whisper, self.windows = whisper, 0

    def __getattr__(self, name):
        return getattr(self._whisper, name)

    def encode(self, batch):
        self.windows += len(batch)
        return self._whisper.encode(batch)


def cost(path: Path, model: LoadedModel, options: Options = SPLIT) -> tuple[int, list[Chunk]]:
    """How many windows a recording puts through the encoder, and what comes of it."""
    counting = Counting(model.whisper)
    found = chunks(run(path, LoadedModel(counting, model.loaded, 0.0), options))
    assert counting.windows > 0
    return counting.windows, found


@pytest.fixture(scope="module")
def undisturbed(model, path) -> list:
    return run(path, model)


def test_each_channel_is_heard_by_itself_in_its_own_language(call, undisturbed):
    found = chunks(undisturbed)
    assert [chunk.index for chunk in found] == list(range(len(found)))
    for channel, side, language in ((1, call.sides[0], "en"), (2, call.sides[1], "th")):
        mine = of(channel, found)
        assert {chunk.spoken for chunk in mine if chunk.segments} == {language}
        assert speech.error_rate(side.said(), text(mine), language) < 0.5
        assert all(segment.channel == channel for chunk in mine for segment in chunk.segments)
    assert text(of(0, found)) == ""
    for channel in (0, 1, 2):  # every sample of each in exactly one chunk
        mine = of(channel, found)
        assert mine[0].start == 0
        assert all(before.end == after.start for before, after in itertools.pairwise(mine))
        assert mine[-1].end == call.audio.shape[1]
    done = undisturbed[-1]
    assert isinstance(done, Done)
    assert done.audio_seconds == pytest.approx(call.audio.shape[1] / RATE)
    assert done.warnings == ()


def test_what_is_done_is_what_is_done_in_every_channel(undisturbed, call):
    ends = dict.fromkeys((0, 1, 2), 0)
    told = []
    for event in undisturbed:
        if isinstance(event, Chunks):
            ends |= {chunk.channel: chunk.end for chunk in event.chunks}
            assert event.done == min(ends.values())
            told.append(event.done)
        elif isinstance(event, Progress):
            assert event.done <= min(ends.values()) / RATE
    assert told == sorted(told)
    assert told[-1] == call.audio.shape[1]


@pytest.mark.ci
def test_a_resume_after_any_chunk_gives_those_of_an_undisturbed_run(model, path, undisturbed):
    whole = chunks(undisturbed)
    assert len(whole) >= 5
    for cut in range(1, len(whole)):
        places: dict[int, Place] = {}
        for chunk in whole[:cut]:
            known = places.get(chunk.channel, Place(0))
            if known.language is None and chunk.spoken:
                known = Place(0, chunk.spoken, chunk.spoken_probability)
            places[chunk.channel] = dataclasses.replace(known, sample=chunk.end)
        after = chunks(run(path, model, places=places, next_index=cut))
        assert [chunk.index for chunk in after] == list(range(cut, len(whole)))
        assert same([*whole[:cut], *after]) == same(whole)


def test_a_side_that_is_silent_costs_nothing(model, tmp_path, call):
    """Of a call in which only one side speaks, as many windows go through the model as of that side alone."""
    side = call.sides[0].audio[: 25 * RATE]
    silence = np.random.default_rng(3).normal(0, 1e-4, len(side))
    of_call, both = cost(speech.encode(tmp_path / "both.flac", np.stack([side, silence])), model)
    of_side, alone = cost(speech.encode(tmp_path / "alone.flac", side), model)
    assert of_call == of_side
    assert text(of(1, both)) == text(both) == text(alone)


@pytest.mark.ci
def test_two_sides_that_speak_by_turns_cost_little_more_than_one_recording_of_both(model, path):
    split, _ = cost(path, model)
    mixed, _ = cost(path, model, dataclasses.replace(SPLIT, channels="mix"))
    assert split <= mixed + 2  # the last window of each


@pytest.mark.parametrize("suffix", ["flac", pytest.param("mp3", marks=pytest.mark.ci)])
def test_channels_that_are_alike_are_one_without_a_speaker(model, tmp_path, call, suffix):
    side = call.sides[0].audio[: 20 * RATE]
    events = run(speech.encode(tmp_path / f"dual.{suffix}", np.stack([side, side])), model)
    found = chunks(events)
    assert text(found) == text(of(0, found))
    alone = chunks(run(speech.encode(tmp_path / f"mono.{suffix}", side), model))
    assert speech.error_rate(text(alone).split(), text(found)) < 0.3  # coded otherwise
    assert events[-1].warnings == ("the channels are alike: they were transcribed as one, without speakers",)


@pytest.mark.ci
def test_a_mono_recording_is_transcribed_as_always(model, tmp_path, call):
    path = speech.encode(tmp_path / "mono.flac", call.sides[0].audio)
    assert chunks(run(path, model)) == chunks(run(path, model, dataclasses.replace(SPLIT, channels="mix")))


def test_more_than_eight_channels_are_no_speakers_and_the_result_says_so(model, tmp_path):
    audio = np.tile(speech.sample("english"), (9, 1))
    path = tmp_path / "desk.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((9, 2, RATE, 0, "NONE", ""))
        file.writeframes((audio.T * 32767).astype("<i2").tobytes())
    events = run(path, model)
    assert {chunk.channel for chunk in chunks(events)} == {0}
    assert text(chunks(events)).startswith("hello")
    assert events[-1].warnings == ("9 channels are too many to be kept apart: they were mixed",)


@pytest.mark.parametrize("together", [True, False])
def test_several_tracks_are_mixed_channel_by_channel(together):
    tracks = np.random.default_rng(5).normal(0, 0.1, (2, 2, 30 * RATE)).astype(np.float32)
    tracks[0, :, 5 * RATE : 20 * RATE] = 0  # long enough for the other one to be heard

    def mixed(rows: int, pieces: np.ndarray) -> np.ndarray:
        mixer, found = Mixer(2, together=together, rows=rows), []
        for at in range(0, 30 * RATE, 7_000):
            for number in (0, 1):
                mixer.put(number, pieces[number][..., at : at + 7_000], 0)
            found += mixer.ready()
        return np.concatenate([*found, *mixer.finish()], axis=-1)

    both = mixed(2, tracks)
    assert both.shape == (2, 30 * RATE)
    for row in (0, 1):
        assert np.array_equal(both[row], mixed(0, tracks[:, row]))


def test_a_stretch_with_another_number_of_channels_fits_in():
    """A track may change its form: mono is in all channels, what is missing is silent, what is too much is in the last one."""
    planes = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert _fitted(planes[:1], 3).tolist() == [planes[0].tolist()] * 3
    assert _fitted(planes[:2], 3).tolist() == [*planes[:2].tolist(), [0, 0, 0]]
    assert _fitted(planes, 3).tolist() == [*planes[:2].tolist(), (planes[2] + planes[3]).tolist()]


def tiled(blocks, start: int, length: int):
    """Windows of one length, and at last one that is shorter."""
    at = max(0, start - LEAD)
    for position, block in blocks:
        assert position == at, "blocks follow each other without a gap"
        at += len(block)
        while at - start >= length:
            yield Window(0, start, start + length, (), np.zeros(0, np.float32))
            start += length
    if at > start:
        yield Window(0, start, at, (), np.zeros(0, np.float32))


def test_what_is_read_ahead_for_one_channel_is_no_longer_than_a_window():
    """However far apart the channels are cut, and wherever each one begins."""
    read: list[int] = []
    blocks = (read.append(at) or (at, np.zeros((3, RATE), np.float32)) for at in range(0, 3600 * RATE, RATE))
    lengths = {0: 60 * RATE, 1: 7 * RATE, 2: 29 * RATE}
    starts = {0: 0, 1: 100 * RATE, 2: 0}
    order = iter(lengths.values())

    ends = dict(starts)
    for window in side_by_side(blocks, starts, lambda own, channel: tiled(own, starts[channel], next(order))):
        assert window.start == ends[window.channel]
        assert window.start == min(ends.values())
        ends[window.channel] = window.end
        assert read[-1] <= min(ends.values()) + 62 * RATE
    assert set(ends.values()) == {3600 * RATE}


@pytest.mark.ci
def test_three_channels_are_three_speakers(model, tmp_path):
    sides = [speech.compose(seed=seed, seconds=20, language="en").audio[: 20 * RATE] for seed in (4, 5, 6)]
    audio = np.random.default_rng(0).normal(0, 1e-4, (3, 60 * RATE))
    for number, side in enumerate(sides):
        audio[number, number * 20 * RATE :][: len(side)] += side
    found = chunks(run(speech.encode(tmp_path / "talk.flac", audio), model))
    begins = {channel: [each.start for chunk in of(channel, found) for each in chunk.segments] for channel in range(4)}
    assert begins[0] == []
    for channel in (1, 2, 3):
        assert all(20 * (channel - 1) - 1 < start < 20 * channel for start in begins[channel])
        assert begins[channel]


@pytest.mark.ci
def test_a_batch_is_filled_from_all_channels_and_not_with_silence(model, tmp_path):
    """Both speak all the time: the first batch of four has two windows of each, and the silence of TOGETHER beside them."""
    sides = [speech.compose(seed=seed, seconds=70, pauses=0.3, language="en").audio[: 70 * RATE] for seed in (7, 8)]
    path = speech.encode(tmp_path / "both.flac", np.stack(sides))
    events = run(path, model, dataclasses.replace(SPLIT, batch_size=4, language="en"))
    first = next(event.chunks for event in events if isinstance(event, Chunks))
    assert Counter(chunk.channel for chunk in first if chunk.segments) == {1: 2, 2: 2}
    assert Counter(chunk.channel for chunk in first) == {0: 1, 1: 2, 2: 2}


def test_without_vad_nothing_is_left_out_but_digital_silence(model, tmp_path, call):
    side = call.sides[0].audio[: 20 * RATE]
    path = speech.encode(tmp_path / "one.flac", np.stack([side, 0 * side]))
    windows, found = cost(path, model, dataclasses.replace(SPLIT, vad=False, language="en"))
    assert text(of(1, found))
    assert text(found) == text(of(1, found))
    assert windows <= 4
