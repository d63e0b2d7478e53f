"""One attempt at one part, on real files with the demo model: its messages, its resumes, its ends."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from sttd.part import (
    ENDS,
    Cause,
    Chunk,
    Chunks,
    Done,
    Event,
    Failed,
    ModelSpec,
    Notice,
    Options,
    PartSpec,
    Place,
    Progress,
    Started,
)
from sttd.worker import LoadedModel, load, run_part
from sttd.worker.decoding.decoder import Decoder
from sttd.worker.prefetch import Closed, Prefetch, Stuck
from tests import speech
from tests.harness import PATIENCE

RATE = speech.RATE
SURE = Options(temperatures=(0.0,), beam_size=1)  # no random numbers, and quick
SINGLY = dataclasses.replace(SURE, batch_size=1)
PAIRS = dataclasses.replace(SURE, batch_size=2)


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load(ModelSpec("demo"), lambda *_: None)


@pytest.fixture(scope="module")
def recording() -> speech.Recording:
    """Four windows of speech in two languages, the English one first."""
    return speech.compose(seed=1, seconds=95)


@pytest.fixture(scope="module")
def long(tmp_path_factory, recording) -> Path:
    return speech.encode(tmp_path_factory.mktemp("part") / "long.flac", recording.audio)


@pytest.fixture
def short(tmp_path) -> Path:
    return speech.encode(tmp_path / "short.wav", speech.compose(["english"], seed=2).audio)


@pytest.fixture(scope="module")
def undisturbed(model, long) -> list[Event]:
    """A run in batches of one."""
    return run(order(long, options=SINGLY), model)


@pytest.fixture(scope="module")
def in_pairs(model, long) -> list[Event]:
    """A run in batches of two, by a worker that has just loaded its model."""
    model.load_seconds = 1.5
    return run(order(long, options=PAIRS), model)


def order(path: Path, **changes) -> PartSpec:
    found = path.stat()
    spec = PartSpec("7.0", 3, str(path), found.st_size, found.st_mtime_ns, ModelSpec("demo"), SURE)
    return dataclasses.replace(spec, **changes)


def run(spec: PartSpec, model: LoadedModel) -> list[Event]:
    events = list(run_part(spec, model))
    assert all((event.part_id, event.attempt) == ("7.0", 3) for event in events)
    assert [isinstance(event, ENDS) for event in events] == [False] * (len(events) - 1) + [True]
    return events


def chunks(events: list[Event]) -> list[Chunk]:
    return [chunk for event in events if isinstance(event, Chunks) for chunk in event.chunks]


def batches(events: list[Event]) -> list[list[Chunk]]:
    return [list(event.chunks) for event in events if isinstance(event, Chunks)]


def test_a_recording_becomes_started_chunks_without_a_gap_and_done(model, long, recording, in_pairs):
    events = in_pairs
    started = [event for event in events if isinstance(event, Started)]
    assert len(started) == 1
    assert (started[0].model, started[0].requested_model, started[0].pid) == ("demo", "demo", os.getpid())
    assert started[0].audio_seconds == pytest.approx(recording.seconds, abs=0.1)
    assert started[0].load_seconds == 1.5
    first_chunks = next(index for index, event in enumerate(events) if isinstance(event, Chunks))
    assert events.index(started[0]) < first_chunks
    made = chunks(events)
    assert [chunk.index for chunk in made] == list(range(len(made)))
    assert [chunk.start for chunk in made] == [0, *(chunk.end for chunk in made[:-1])]
    assert made[-1].end == len(recording.audio)
    assert {chunk.model for chunk in made} == {"demo"}
    done = events[-1]
    assert isinstance(done, Done)
    assert (done.resume_at, done.cause, done.warnings) == (None, None, ())
    assert done.audio_seconds == pytest.approx(recording.seconds, abs=0.001)
    assert next(run_part(order(long), model)).load_seconds == 0.0  # warm


@pytest.mark.parametrize(
    ("options", "run_of_it"), [(PAIRS, "in_pairs"), pytest.param(SINGLY, "undisturbed", marks=pytest.mark.ci)]
)
def test_a_resume_after_any_batch_gives_the_chunks_of_an_undisturbed_run(model, long, request, options, run_of_it):
    whole = batches(request.getfixturevalue(run_of_it))
    assert len(whole) >= 2
    for cut in range(1, len(whole)):
        before = [chunk for batch in whole[:cut] for chunk in batch]
        spoken = next((chunk for chunk in before if chunk.spoken), None)
        again = order(
            long,
            options=options,
            places={0: Place(before[-1].end, spoken and spoken.spoken, spoken and spoken.spoken_probability)},
            next_index=len(before),
        )
        assert batches(run(again, model)) == whole[cut:]


def test_a_resume_at_the_very_end_is_done(model, short):
    end = chunks(run(order(short), model))[-1].end
    events = run(order(short, places={0: Place(end)}, next_index=1), model)
    assert [type(event) for event in events] == [Started, Done]
    assert events[-1].audio_seconds == pytest.approx(end / RATE)


def test_winding_forward_is_told_before_the_start(model, long, monkeypatch):
    monkeypatch.setattr("sttd.worker.audio.recording._WIND_INTERVAL", 0.0)
    events = run(order(long, places={0: Place(70 * RATE)}, next_index=3), model)
    kinds = [type(event) for event in events]
    wound = [event.done for event in events[: kinds.index(Started)]]
    assert set(kinds[: kinds.index(Started)]) == {Progress}
    assert wound == sorted(wound)
    assert 60 < wound[-1] < 70
    assert chunks(events)[0].start == 70 * RATE


def test_what_lies_outside_of_the_part_is_not_transcribed(model, long, recording):
    end = 60 * RATE
    made = chunks(run(order(long, start=20 * RATE, end=end), model))
    assert made[0].start == 20 * RATE
    assert made[-1].end == end
    heard = " ".join(segment.text for chunk in made for segment in chunk.segments)
    inside = [word for phrase in recording.phrases if phrase.start > 20 and phrase.end < 60 for word in phrase.words]
    assert 0.5 * len(inside) < len(heard.split()) < 2 * len(inside)


@pytest.mark.ci
def test_progress_comes_once_a_second_at_most(model, long, recording, monkeypatch):
    clock = itertools.count(0.0, 0.6)  # seconds from one look to the next: two batches take more than one
    monkeypatch.setattr("sttd.worker.part.time", SimpleNamespace(monotonic=lambda: next(clock)))
    events = [event for event in run(order(long, options=SINGLY), model) if isinstance(event, (Chunks, Progress))]
    assert [type(event) for event in events[:6]] == [Chunks, Chunks, Progress] * 2
    for before, event in itertools.pairwise(events):
        if isinstance(event, Progress):
            assert event.done == before.chunks[-1].end / RATE
            assert event.total == pytest.approx(recording.seconds, abs=0.1)


def test_silence_is_done_with_empty_chunks_of_no_language(model, tmp_path):
    path = speech.encode(tmp_path / "silence.wav", np.zeros(5 * RATE, np.float32))
    events = run(order(path), model)
    assert isinstance(events[-1], Done)
    assert [(chunk.segments, chunk.language) for chunk in chunks(events)] == [((), "und")]


def test_options_that_cannot_be_followed_are_said(model, short):
    options = dataclasses.replace(SURE, initial_prompt="hello world " * 500)
    notices = [event for event in run(order(short, options=options), model) if isinstance(event, Notice)]
    assert [notice.event for notice in notices] == ["options"]
    assert "there is room for" in notices[0].text


def test_a_bad_file_a_gone_one_and_a_changed_one_fail_with_their_causes(model, short, tmp_path):
    text = tmp_path / "text.mp3"
    text.write_text("no recording at all\n" * 100)
    for spec, cause in (
        (order(text), Cause.BAD_FILE),
        (dataclasses.replace(order(short), source=str(tmp_path / "gone.wav")), Cause.GONE),
        (order(short, size=1), Cause.CHANGED),
        (order(short, options=dataclasses.replace(SURE, language="xx")), Cause.CONFIGURATION),
    ):
        events = run(spec, model)
        assert [type(event) for event in events] == [Failed]
        assert events[0].cause is cause
        assert events[0].error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (RuntimeError("CUDA failed with error out of memory"), Cause.GPU_MEMORY),
        (RuntimeError("something in the model"), Cause.ERROR),
        (RuntimeError("Library libcublas.so.12 is not found or cannot be loaded"), Cause.MACHINE),
        (
            RuntimeError("CUDA failed with error no kernel image is available for execution on the device"),
            Cause.MACHINE,
        ),
        (MemoryError(), Cause.OOM),
        (OSError(errno.ENOSPC, "No space left on device"), Cause.MACHINE),
    ],
)
def test_what_the_model_or_the_machine_raises_fails_with_its_cause_and_may_be_tried_again(
    model, short, monkeypatch, error, cause
):
    def fail(self: Decoder, batch: object) -> None:
        raise error

    monkeypatch.setattr(Decoder, "decode", fail)
    events = run(order(short), model)
    assert [type(event) for event in events] == [Started, Failed]
    assert events[-1].cause is cause
    assert events[-1].retriable
    assert not prefetchers()


def prefetchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_closing_it_after_a_batch_ends_its_thread_and_closes_the_file(model, long):
    events = run_part(order(long, options=SINGLY), model)
    next(event for event in events if isinstance(event, Chunks))
    assert prefetchers()
    assert str(long) in [file.path for file in psutil.Process().open_files()]
    events.close()
    assert not prefetchers()
    assert str(long) not in [file.path for file in psutil.Process().open_files()]


def test_closing_it_while_it_winds_forward_ends_its_thread(model, long, monkeypatch):
    monkeypatch.setattr("sttd.worker.audio.recording._WIND_INTERVAL", 0.0)
    events = run_part(order(long, places={0: Place(94 * RATE)}, next_index=3), model)
    assert isinstance(next(iter(events)), Progress)
    events.close()
    assert not prefetchers()


def test_prefetch_works_ahead_no_further_than_its_depth():
    made: list[int] = []
    waits = threading.Event()

    def produce(ahead: Prefetch[int]) -> None:
        for number in range(10):
            made.append(number)
            if number == 3:
                waits.set()
            ahead.put(number)

    with Prefetch(produce, 2) as ahead:
        things: Iterator[int] = iter(ahead)
        assert next(things) == 0
        assert waits.wait(PATIENCE)  # one taken, two ready, one in the hand
        time.sleep(0.05)  # for what must not happen there is no event
        assert made == [0, 1, 2, 3]
        assert list(things) == list(range(1, 10))


def test_an_error_of_the_producer_reaches_the_consumer_after_what_was_made_before():
    def produce(ahead: Prefetch[int]) -> None:
        ahead.put(1)
        raise OSError("broken")

    got = []
    with Prefetch(produce, 2) as ahead, pytest.raises(OSError, match="broken"):
        got.extend(ahead)
    assert got in ([1], [])  # `extend` may drop what it has when its source raises


def test_leaving_prefetch_ends_a_producer_that_waits_for_room_and_lets_it_clean_up():
    cleaned = threading.Event()

    def produce(ahead: Prefetch[int]) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(cleaned.set)
            for number in range(100):
                ahead.put(number)

    with Prefetch(produce, 1) as ahead:
        assert next(iter(ahead)) == 0
    assert cleaned.is_set()
    assert not prefetchers()
    with pytest.raises(Closed):
        ahead.put(1)


def test_a_producer_that_computes_without_end_is_told_from_one_that_waits_or_comes_on():
    """Processor time counts, not the clock: a mount that hangs is no fault of the recording's."""

    def produce(ahead: Prefetch[int]) -> None:
        while not computes.is_set():
            time.sleep(0.05)
        for _ in range(3):
            spin(0.2)
            ahead.alive()
        ahead.put(1)
        spin(60, until=over)

    def spin(seconds: float, until: threading.Event | None = None) -> None:
        end = time.thread_time() + seconds
        while time.thread_time() < end and not (until and until.is_set()):
            pass

    computes, over = threading.Event(), threading.Event()
    with Prefetch(produce, 1, patience=0.4) as ahead:
        things = iter(ahead)
        threading.Timer(1.5, computes.set).start()
        assert next(things) == 1
        with pytest.raises(Stuck):
            next(things)
        over.set()


def test_the_silence_that_ends_a_span_is_as_configured(model, tmp_path, monkeypatch):
    """A pause of 2 s between two words is cut out, unless so much is asked for."""
    path = speech.encode(
        tmp_path / "pause.wav", np.concatenate([speech.sample("clip00"), np.zeros(2 * RATE), speech.sample("clip01")])
    )
    seen = []
    decode = Decoder.decode
    monkeypatch.setattr(Decoder, "decode", lambda self, batch: seen.extend(batch) or decode(self, batch))
    run(order(path), model)
    run(order(path, options=dataclasses.replace(SURE, vad_silence=5.0)), model)
    default, longer = (len(prepared.window.spans) for prepared in seen)
    assert default > longer == 1
