"""What a recording may cost before it is heard: the bounds hold, and only for what they are meant for."""

from __future__ import annotations

import dataclasses
import mmap
import resource

import numpy as np
import pytest

from sttd.part import SAMPLE_RATE, Cause, Done, ModelSpec, Options, PartSpec
from sttd.worker import bounds
from sttd.worker.audio import rates, source_file
from sttd.worker.audio.source_file import SourceFile
from sttd.worker.errors import PartFailed
from sttd.worker.model import load
from sttd.worker.part import run_part
from tests import speech
from tests.hostile.bombs import wav
from tests.worker.test_audio import open_it

ENGLISH = speech.SAMPLES / "english.flac"


def test_memory_is_bounded_for_a_while_and_as_before_afterwards():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(PartFailed, match="64 MiB of memory") as failed, bounds.memory(2**26):
        np.ones(2**31, np.uint8)  # more than malloc may have kept from earlier
    assert failed.value.cause is Cause.BAD_FILE
    assert not failed.value.retriable
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert np.ones(2**27, np.uint8).all()


def test_what_went_on_without_the_memory_that_it_was_refused_is_refused_too():
    with pytest.raises(PartFailed, match="64 MiB of memory"), bounds.memory(2**26):
        kept = mmap.mmap(-1, 62 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    kept.close()


def test_what_needs_little_is_left_alone():
    with bounds.memory(2**26):
        assert np.ones(2**20, np.uint8).all()


def test_a_large_recording_has_more_room_than_a_small_one():
    """48 h in five tracks of an MP4 take 1.4 GiB; a file of less than 100 MB cannot hold them."""
    assert bounds.room(68_000) < 0.6 * 2**30
    assert bounds.room(10 * 48 * 3600 * 1000) > 5 * 0.3 * 2**30


def test_beside_a_load_that_is_stuck_memory_is_not_bounded(monkeypatch):
    """The load may go on, and what it takes would be laid to the recording."""

    def refuse(extra):
        raise AssertionError("bounded")

    model = load(ModelSpec("demo"), lambda *_: None)
    model.loaded = dataclasses.replace(model.loaded, stuck=True)
    monkeypatch.setattr(bounds, "memory", refuse)
    found = ENGLISH.stat()
    part = PartSpec("1.0", 1, str(ENGLISH), found.st_size, found.st_mtime_ns, ModelSpec("demo"), Options(beam_size=1))
    assert isinstance(list(run_part(part, model))[-1], Done)


def test_who_reads_far_in_search_of_sound_comes_on(monkeypatch):
    """A film of 100 GB whose sound ends early is no bomb: its bytes are read, not one head computed on."""
    monkeypatch.setattr(source_file, "_FAR", 1000)
    monkeypatch.setattr(source_file, "_PIECE", 500)
    found, calls = ENGLISH.stat(), []
    file = SourceFile(str(ENGLISH), found.st_size, found.st_mtime_ns, lambda: calls.append(file.tell()))
    for _ in range(10):
        file.read(500)
    for _ in range(100):
        file.seek(2000)
        file.read(500)
    file.close()
    assert calls == [1000, 2000, 3000, 4000, 5000], "what was read before says nothing"


@pytest.mark.parametrize(
    ("rate", "is_possible"), [(999, False), (1000, True), (8000, True), (768_000, True), (768_001, False)]
)
def test_rates_that_no_recording_has(rate, is_possible):
    assert rates.possible(rate) is is_possible


def test_a_recording_of_the_lowest_rate_comes_in_small_blocks(tmp_path):
    """Of 1 Hz each byte became 16,000 samples, and a packet gigabytes. 33 minutes are 128 MB of samples; they fit into 64 MiB."""
    path, seconds = tmp_path / "x.wav", 2_000
    path.write_bytes(wav(rates.LOWEST, seconds * rates.LOWEST))
    with bounds.memory(2**26), open_it(path) as stream:
        blocks = [len(block) for _, block in stream.blocks(0)]
    assert sum(blocks) == seconds * SAMPLE_RATE
    assert max(blocks) * 4 <= 2**20
