"""What keeps a worker as small after hours as after minutes. Nothing here looks at a clock."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest

from sttd.part import Chunks, ModelSpec, Options, PartSpec
from sttd.worker import heap, load, part, run_part
from sttd.worker.items import prepare
from sttd.worker.windows import Window
from tests import speech

RATE = speech.RATE
_THREADS = """
import ctypes, threading
import sttd.worker
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
libc.malloc_info.argtypes, libc.fdopen.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
threads = [threading.Thread(target=lambda: libc.free(libc.malloc(200_000))) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_info(0, libc.fdopen(1, b"w"))
libc.fflush(None)
"""


@pytest.fixture(scope="module")
def model():
    return load(ModelSpec("demo"), lambda *_: None)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's heaps")
def test_all_threads_of_a_worker_allocate_from_one_heap():
    done = subprocess.run([sys.executable, "-c", _THREADS], capture_output=True, text=True, check=True)
    assert done.stdout.count("<heap nr=") == 1, done.stdout


def test_a_window_that_waits_for_the_model_holds_its_features_alone(model):
    samples = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    tracemalloc.start()
    try:
        prepared = prepare(model.whisper, Window(0, 0, 16_000, ((0, 16_000),), samples.copy()))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert prepared.features.shape == (80, 100)
    assert held < prepared.features.nbytes / 2  # pages beside the heap are not numpy's


def test_what_lies_beside_the_heap_outlives_what_it_was_copied_from():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    copy = heap.beside(array[:, ::2])
    array[:] = 0
    assert copy[:, 1:].tolist() == [[2.0], [5.0]]
    assert heap.beside(np.zeros((80, 0), np.float32)).shape == (80, 0)


def test_two_batches_of_windows_are_held_and_the_one_that_is_being_made(monkeypatch, tmp_path, model):
    """In the model and waiting for it; by windows, so that a short recording holds as many as a long one."""
    made, full, more = itertools.count(1), threading.Event(), threading.Event()

    def many(*_args):
        for index in range(40):
            yield Window(index, index * RATE, (index + 1) * RATE, (), np.zeros(0, np.float32))

    def count(whisper, window):
        number = next(made)
        (full.set if number == 4 + 4 + 1 else more.set if number > 4 + 4 + 1 else int)()
        return prepare(whisper, window)

    monkeypatch.setattr(part, "windows", many)
    monkeypatch.setattr(part, "prepare", count)
    path = speech.encode(tmp_path / "a.wav", speech.compose(["english"], seed=2).audio)
    seen = path.stat()
    spec = PartSpec("1.0", 1, str(path), seen.st_size, seen.st_mtime_ns, ModelSpec("demo"), Options(batch_size=4))
    with contextlib.closing(run_part(spec, model)) as events:
        chunks = next(event for event in events if isinstance(event, Chunks)).chunks
        assert [chunk.index for chunk in chunks] == [0, 1, 2, 3]
        assert full.wait(30)
        assert not more.wait(0.2)
