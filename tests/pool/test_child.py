"""What a child does with its orders: the threads that it loads a model with, and the chunks that it lets pass."""

from __future__ import annotations

import dataclasses
import os

import pytest

from sttd.part import Chunk, Chunks, Loaded, ModelSpec, Options, PartSpec, Place
from sttd.pool.local.child import Child, Settings
from sttd.pool.sequence import OutOfOrder, Sequence
from sttd.pool.wire import AT_ONCE, Decoder, WireError
from sttd.sharing import Share


def test_a_worker_with_a_core_more_than_the_others_loads_the_same_model_once_as_far_as_the_pool_knows():
    """Of ten cores three workers have 4, 3 and 3: the first one would else be taken for one with another model."""
    reading, writing = os.pipe()
    try:
        child = Child(writing, Settings(os.getpid(), 50, 60.0, more_threads=1, worker="tests.pool.scripted"))
        part = PartSpec("1.0", 1, "", 0, 0, ModelSpec("demo", cpu_threads=3), Options())
        model = child._model_for(part, {})
        assert model.loaded.spec.cpu_threads == 4
        assert child._model_for(part, {}) is model
        assert list(Decoder().feed(os.read(reading, 65536))) == [Loaded(part.model, "demo")]
    finally:
        os.close(reading)
        os.close(writing)


def _chunks(*spans: tuple[int, int, int]) -> Chunks:
    """(index, start, end) each."""
    made = tuple(Chunk(index, start, end, (), "und", 0.0, "demo") for index, start, end in spans)
    return Chunks(part_id="1.0", attempt=1, chunks=made, done=0)


def test_the_first_part_begins_at_the_beginning_and_a_later_one_where_its_border_is():
    part = PartSpec("1.0", 1, "", 0, 0, ModelSpec("demo"), Options())
    Sequence(part).check(_chunks((0, 0, 7)))
    with pytest.raises(OutOfOrder, match="chunk 0 from 5 does not follow 0 at 0"):
        Sequence(part).check(_chunks((0, 5, 7)))
    later = dataclasses.replace(part, part_id="1.1", number=1, parts=2, share=Share(60.0, 60.0))
    Sequence(later).check(_chunks((0, 960_005, 960_007), (1, 960_007, 960_009)))
    with pytest.raises(OutOfOrder, match="chunk 1 from 960008 does not follow 1 at 960007"):
        Sequence(later).check(_chunks((0, 960_005, 960_007), (1, 960_008, 960_009)))
    with pytest.raises(OutOfOrder, match="chunk 0 from 959999 does not follow 0 at 960000"):
        Sequence(later).check(_chunks((0, 959_999, 960_007)))


def test_a_later_part_that_was_begun_goes_on_where_it_was():
    part = PartSpec(
        "1.1", 1, "", 0, 0, ModelSpec("demo"), Options(), places={0: Place(7)}, next_index=1, number=1, parts=2,
        share=Share(60.0, 60.0),
    )  # fmt: skip
    Sequence(part).check(_chunks((1, 7, 9)))
    with pytest.raises(OutOfOrder, match="chunk 1 from 8 does not follow 1 at 7"):
        Sequence(part).check(_chunks((1, 8, 9)))


def test_a_large_batch_is_said_a_few_chunks_at_a_time_and_is_done_with_the_last_of_them():
    """One message of it kept the daemon's loop busy, and nothing is missing before its end until all of it is there."""
    reading, writing = os.pipe()
    try:
        child = Child(writing, Settings(os.getpid(), 50, 60.0, worker="tests.pool.scripted"))
        made = _chunks(*((number, number, number + 1) for number in range(70)))
        child._send_some(dataclasses.replace(made, done=70), 5)
        said = list(Decoder().feed(os.read(reading, 65536)))
        assert [(len(each.chunks), each.done) for each in said] == [(AT_ONCE, 5), (AT_ONCE, 5), (6, 70)]
        assert sum((each.chunks for each in said), ()) == made.chunks
        with pytest.raises(WireError, match="a Chunks with a language that is none"):
            child._send(
                Chunks(part_id="1.0", attempt=1, chunks=(dataclasses.replace(made.chunks[0], language="!"),), done=0)
            )
    finally:
        os.close(reading)
        os.close(writing)
