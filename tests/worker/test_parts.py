"""A recording in parts, with the demo model: together they are the recording, and each is what one attempt at all of it would be."""

from __future__ import annotations

import contextlib
import dataclasses
import wave
from pathlib import Path

import numpy as np
import pytest

from sttd.part import Chunk, Chunks, Done, Failed, ModelSpec, Options, PartSpec, Place, Progress, Started
from sttd.sharing import MOST_PARTS, Decided, Share, parts_of
from sttd.worker import LoadedModel, load, run_part
from sttd.worker.decoding.languages import Languages
from sttd.worker.part import shared_out
from tests import speech

RATE = speech.RATE
SURE = Options(temperatures=(0.0,), beam_size=1, language="en")
SPLIT = dataclasses.replace(SURE, channels="split")


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load(ModelSpec("demo"), lambda *_: None)


@pytest.fixture(scope="module")
def alone() -> LoadedModel:
    return load(ModelSpec("demo", lanes=1), lambda *_: None)


@pytest.fixture(scope="module")
def recording() -> speech.Recording:
    return speech.compose(seed=5, seconds=140, language="en")


@pytest.fixture(scope="module")
def path(tmp_path_factory, recording) -> Path:
    return speech.encode(tmp_path_factory.mktemp("parts") / "long.flac", recording.audio)


def order(path: Path, number: int, parts: int, seconds: float, options: Options = SURE, **changes) -> PartSpec:
    seen = path.stat()
    spec = PartSpec(f"1.{number}", 1, str(path), seen.st_size, seen.st_mtime_ns, ModelSpec("demo"), options)
    share = Share(after=0.0, length=seconds / parts) if parts > 1 else None
    return dataclasses.replace(spec, number=number, parts=parts, share=share, **changes)


def run(spec: PartSpec, model: LoadedModel) -> list:
    events = list(run_part(spec, model))
    assert isinstance(events[-1], Done), events[-1]
    return events


def chunks(events: list) -> list[Chunk]:
    found = [chunk for event in events if isinstance(event, Chunks) for chunk in event.chunks]
    first = found[0].index if found else 0
    assert [chunk.index for chunk in found] == list(range(first, first + len(found)))
    return found


def text(found: list[Chunk]) -> list[str]:
    return " ".join(segment.text for chunk in found for segment in chunk.segments).split()


def plain(found: list[Chunk]) -> list[Chunk]:
    """But for the number of each."""
    return [dataclasses.replace(chunk, index=0) for chunk in found]


@pytest.fixture(scope="module")
def whole(model, path) -> list[Chunk]:
    return chunks(run(order(path, 0, 1, 0), model))


@pytest.fixture(scope="module")
def halves(model, path, recording) -> list[list[Chunk]]:
    return [chunks(run(order(path, number, 2, recording.seconds), model)) for number in range(2)]


@pytest.mark.parametrize("parts", [2, pytest.param(7, marks=pytest.mark.ci)])
def test_parts_are_the_recording_and_each_is_what_one_attempt_at_all_of_it_makes_from_its_border_on(
    model, path, recording, whole, halves, parts
):
    """All chunks but the one that ends at the next border, exactly."""
    made = halves
    if parts != 2:
        made = [chunks(run(order(path, number, parts, recording.seconds), model)) for number in range(parts)]
    spans = [(chunk.start, chunk.end) for part in made for chunk in part]
    assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])]
    assert spans[-1][1] == len(recording.audio)
    assert plain(made[0][:-1]) == plain(whole[: len(made[0]) - 1])
    for number, part in enumerate(made[1:], 1):
        on = chunks(run(order(path, 0, 1, 0, places={0: Place(part[0].start, "en", 1.0)}), model))
        last = number == parts - 1
        kept = part if last else part[:-1]
        assert plain(kept) == plain(on[: len(kept)])
        assert len(on) == len(kept) or not last
    words = recording.said()
    rate = speech.error_rate(words, text([chunk for part in made for chunk in part]))
    assert rate <= speech.error_rate(words, text(whole)) + 0.02


def test_windows_that_do_not_touch_a_border_are_the_same_as_in_one_part(halves, whole):
    """Where both have the same span, they have the same words at the same times."""
    made = [chunk for part in halves for chunk in part]
    one = {(chunk.start, chunk.end): chunk for chunk in plain(whole)}
    common = [chunk for chunk in plain(made) if (chunk.start, chunk.end) in one]
    assert common
    assert all(chunk == one[chunk.start, chunk.end] for chunk in common)


@pytest.mark.parametrize("options", [SURE, pytest.param(dataclasses.replace(SURE, vad=False), marks=pytest.mark.ci)])
def test_a_part_that_is_killed_after_any_batch_goes_on_as_if_it_had_not_been(model, path, recording, options):
    spec = order(path, 1, 3, recording.seconds, dataclasses.replace(options, batch_size=1))
    found = chunks(run(spec, model))
    assert len(found) >= 2
    for count in range(1, len(found) + 1):
        with contextlib.closing(run_part(spec, model)) as events:
            before: list[Chunk] = []
            while len(before) < count:
                event = next(events)
                before += event.chunks if isinstance(event, Chunks) else ()
        assert before == found[:count]
        again = dataclasses.replace(spec, places={0: Place(before[-1].end)}, next_index=count)
        assert chunks(run(again, model)) == found[count:]


def test_started_tells_the_parts_and_progress_counts_in_the_recording(model, path, recording, monkeypatch):
    monkeypatch.setattr("sttd.worker.part._PROGRESS_INTERVAL", 0.0)
    share = Share(after=60.0, length=30.0)
    spec = dataclasses.replace(order(path, 0, 1, 0), parts=0, share=share)
    events = run(spec, model)
    (started,) = [event for event in events if isinstance(event, Started)]
    assert started.parts == parts_of(recording.seconds, share) == 5
    assert 30.0 < events[-1].audio_seconds < 60.0
    later = run(dataclasses.replace(spec, number=3, parts=5), model)
    (started,) = [event for event in later if isinstance(event, Started)]
    assert (started.parts, started.audio_seconds) == (5, pytest.approx(recording.seconds, abs=0.01))
    told = [event for event in later if isinstance(event, Progress)]
    assert told
    assert all(event.done >= 90.0 and event.total == started.audio_seconds for event in told)


def test_a_recording_that_is_not_long_enough_is_one_part(model, tmp_path):
    said = speech.compose(["english"])
    path = speech.encode(tmp_path / "short.flac", said.audio)
    share = Share(after=said.seconds + 1, length=said.seconds / 4)
    events = run(dataclasses.replace(order(path, 0, 1, 0), parts=0, share=share), model)
    assert next(event.parts for event in events if isinstance(event, Started)) == 1
    assert events[-1].audio_seconds == pytest.approx(said.seconds, abs=0.01)


def truncated(path: Path, recording: speech.Recording, seconds: float) -> Path:
    """A WAV whose head tells the whole length, and that ends before."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((recording.audio * 20_000).astype("<i2").tobytes())
    with path.open("r+b") as file:
        file.truncate(44 + round(seconds * RATE) * 2)
    return path


@pytest.mark.ci
def test_a_file_that_ends_earlier_than_it_says_has_empty_parts_behind_its_end(model, tmp_path, recording):
    path = truncated(tmp_path / "cut.wav", recording, 70.0)
    share = Share(after=60.0, length=20.0)
    first = dataclasses.replace(order(path, 0, 1, 0), parts=0, share=share)
    (started,) = [event for event in run(first, model) if isinstance(event, Started)]
    assert started.parts == 7
    found = [run(dataclasses.replace(first, number=number, parts=7), model) for number in range(7)]
    made = [chunks(events) for events in found]
    assert [bool(part) for part in made] == [True, True, True, made[3] != [], False, False, False]
    spans = [(chunk.start, chunk.end) for part in made for chunk in part]
    assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])]
    assert spans[-1][1] == 70 * RATE
    assert [events[-1].audio_seconds for events in found[4:]] == [70.0] * 3
    assert "the file ends early" in found[-1][-1].warnings[0]


@pytest.mark.ci
def test_the_last_part_goes_to_the_end_however_short_the_file_was_said_to_be(model, path, recording):
    spec = dataclasses.replace(order(path, 2, 1, 0), parts=3, share=Share(after=0.0, length=15.0))
    found = chunks(run(spec, model))
    assert 30 * RATE < found[0].start < 45 * RATE
    assert found[-1].end == len(recording.audio)


@pytest.mark.ci
def test_the_channels_of_a_call_have_borders_of_their_own(model, tmp_path):
    sides = [speech.compose(seed=seed, seconds=60, language="en").audio[: 60 * RATE] for seed in (1, 2)]
    path = speech.encode(tmp_path / "call.flac", np.stack(sides))
    one = chunks(run(order(path, 0, 1, 0, SPLIT), model))
    made = [chunks(run(order(path, number, 3, 60.0, SPLIT), model)) for number in range(3)]
    for channel in {chunk.channel for chunk in one}:
        spans = [(each.start, each.end) for part in made for each in part if each.channel == channel]
        assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])]
        assert spans[-1][1] == 60 * RATE
    starts = [{chunk.channel: chunk.start for chunk in reversed(part)} for part in made]
    assert len(set(starts[1].values())) > 1
    killed = made[1][:2]
    places = {chunk.channel: Place(chunk.end) for chunk in killed}
    again = chunks(run(order(path, 1, 3, 60.0, SPLIT, places=places, next_index=2), model))
    assert sorted(plain(again), key=by_place) == sorted(plain(made[1][2:]), key=by_place)


def by_place(chunk: Chunk) -> tuple[int, int]:
    return chunk.channel, chunk.start


def test_the_language_that_part_0_decided_is_the_part_s_and_nobody_is_asked_again(model, path, recording, monkeypatch):
    asks = dataclasses.replace(SURE, language="")
    heard = [
        chunk for number in range(2) for chunk in chunks(run(order(path, number, 7, recording.seconds, asks), model))
    ]
    assert {chunk.spoken for chunk in heard} == {"en"}

    def voted(*_) -> None:
        raise AssertionError("a vote")

    monkeypatch.setattr(Languages, "_vote", voted)
    with pytest.raises(AssertionError, match="a vote"):
        list(run_part(order(path, 1, 7, recording.seconds, asks), model))
    decided = {0: Decided("th", 0.75)}
    found = chunks(run(order(path, 1, 7, recording.seconds, asks, decided=decided), model))
    assert {(chunk.spoken, chunk.spoken_probability) for chunk in found} == {("th", 0.75)}
    places = {0: Place(found[0].end)}
    again = run(order(path, 1, 7, recording.seconds, asks, decided=decided, places=places, next_index=1), model)
    assert chunks(again) == found[1:]


@pytest.mark.parametrize(("number", "language", "is_alone"), [(0, "", True), (0, "en", False), (1, "", False)])
def test_part_0_tells_the_language_after_its_first_window_for_the_others_wait_for_it(
    path, recording, alone, number, language, is_alone
):
    options = dataclasses.replace(SURE, language=language, batch_size=4)
    sizes = [
        len(event.chunks)
        for event in run(order(path, number, 3, recording.seconds, options), alone)
        if isinstance(event, Chunks)
    ]
    assert (sizes[0] == 1) is is_alone
    assert sum(sizes) > 1


def test_a_later_part_without_a_share_is_a_fault_that_is_told(model, path):
    end = list(run_part(dataclasses.replace(order(path, 0, 1, 0), number=1, parts=2), model))[-1]
    assert isinstance(end, Failed)
    assert "not shared out" in end.error


def test_a_file_that_says_it_is_longer_than_any_may_be_stays_one_part(path):
    spec = dataclasses.replace(order(path, 0, 0, 60.0), share=Share(after=60.0, length=30.0))
    longest = spec.options.max_audio
    assert shared_out(spec, longest)[1] == MOST_PARTS
    assert shared_out(spec, longest + 1) == (spec, 1)
