"""Batches side by side: at the same time, and in order."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
import time

import numpy as np
import pytest

from sttd.part import Chunks, Done, ModelSpec, Options, PartSpec
from sttd.worker import load, part, run_part, span
from sttd.worker.decoding.items import prepare
from sttd.worker.lanes import Lanes
from sttd.worker.speech.windows import Window
from tests import speech
from tests.harness import PATIENCE, wait_for

RATE = speech.RATE


class Scripted:
    """A decoder whose batches are functions."""

    def decode(self, batch):
        return batch()


def test_two_batches_are_in_the_model_at_once_and_come_back_in_order():
    both = threading.Barrier(2)
    second = threading.Event()

    def slow():
        both.wait(PATIENCE)
        assert second.wait(PATIENCE)
        return "first"

    def quick():
        both.wait(PATIENCE)
        second.set()
        return "second"

    with Lanes(Scripted(), 2, 8) as lanes:
        waiting = [lanes.decode(slow), lanes.decode(quick)]
        assert [each.result(PATIENCE) for each in waiting] == ["first", "second"]


def test_leaving_waits_for_nothing_and_begins_nothing_new():
    go, begun = threading.Event(), []
    with Lanes(Scripted(), 1, 8) as lanes:
        in_the_model = lanes.decode(lambda: go.wait(PATIENCE))
        behind = lanes.decode(lambda: begun.append(1))
    assert behind.cancelled()
    assert not in_the_model.done()
    go.set()
    assert in_the_model.result(PATIENCE)
    assert not begun


@pytest.mark.parametrize(
    ("most", "together", "count", "shares"),
    [
        (1, 8, 1, [8, 8, 8, 8, 8]),
        (2, 8, 2, [1, 1, 2, 4, 4]),
        (2, 5, 2, [1, 1, 2, 3, 3]),
        (2, 1, 1, [1, 1, 1, 1, 1]),
        (2, 0, 1, [1, 1, 1, 1, 1]),
    ],
)
def test_the_windows_of_a_batch_are_shared_out(most, together, count, shares):
    """At a batch of one, every window is a checkpoint and nothing else is in the model; three windows fill two lanes."""
    lanes = Lanes(Scripted(), most, together)
    assert lanes.count == count
    assert list(itertools.islice(lanes.shares(), 5)) == shares


@pytest.mark.ci
def test_two_threads_hear_what_one_hears(tmp_path):
    """The same chunks, whether a CPU's threads are two lanes or one."""
    recording = speech.encode(tmp_path / "talk.flac", speech.compose(seconds=150, language="en", seed=5).audio)
    seen = recording.stat()
    heard = []
    for threads, lanes in ((1, 1), (2, 2)):
        spec = ModelSpec(name="demo", fallback="", device="cpu", cpu_threads=threads)
        model = load(spec, lambda *_: None)
        assert model.lanes == lanes
        order = PartSpec(
            part_id="1.0", attempt=1, source=str(recording), size=seen.st_size, mtime_ns=seen.st_mtime_ns, model=spec,
            options=dataclasses.replace(Options(), temperatures=(0.0,), batch_size=4),
        )  # fmt: skip
        events = list(run_part(order, model))
        assert isinstance(events[-1], Done)
        heard.append([chunk for event in events if isinstance(event, Chunks) for chunk in event.chunks])
    assert [chunk.index for chunk in heard[1]] == list(range(len(heard[1])))
    assert [(c.start, c.end) for c in heard[1]] == [(c.start, c.end) for c in heard[0]]
    assert [[s.text for s in c.segments] for c in heard[1]] == [[s.text for s in c.segments] for c in heard[0]]


@pytest.mark.parametrize("threads", [1, 2])
def test_what_waits_for_the_model_is_bounded(monkeypatch, tmp_path, threads):
    """A batch with the consumer, as many in wait as there are lanes, and the one that is being put there."""
    made = []

    def endless(*_, **__):
        for index in itertools.count():
            yield Window(index, index * RATE, (index + 1) * RATE, (), np.zeros(0, np.float32))

    def prepared(whisper, window):
        made.append(window)
        return prepare(whisper, window)

    monkeypatch.setattr(span, "cut", endless)
    monkeypatch.setattr(part, "prepare", prepared)
    path = speech.encode(tmp_path / "a.wav", speech.sample("english"))
    seen = path.stat()
    spec = ModelSpec(name="demo", fallback="", device="cpu", cpu_threads=threads)
    order = PartSpec(
        part_id="1.0", attempt=1, source=str(path), size=seen.st_size, mtime_ns=seen.st_mtime_ns, model=spec,
        options=Options(batch_size=4, language="en"),
    )  # fmt: skip
    most = {1: 4 + 4 + 4, 2: 1 + (1 + 2) + 2}[threads]  # windows
    with contextlib.closing(run_part(order, load(spec, lambda *_: None))) as events:
        next(event for event in events if isinstance(event, Chunks))
        wait_for(lambda: len(made) >= most, "the room is full")
        time.sleep(0.1)
        assert len(made) == most
