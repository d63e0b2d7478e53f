"""AVI has no time stamps: a late track keeps its place by its head, or by empty chunks in the index."""

import struct
import tracemalloc

import numpy as np
import pytest

from sttd.worker.audio import avi
from sttd.worker.audio.source_file import SourceFile
from tests import speech
from tests.worker.test_audio import decode, lag, open_it
from tests.worker.test_container import film
from tests.worker.test_lengths import write


@pytest.fixture(scope="module")
def said():
    return speech.compose(["english"])


def test_a_late_track_with_empty_chunks_keeps_its_place(tmp_path, said):
    path = film(tmp_path / "x.avi", "avi", "mpeg4", [("libmp3lame", 44_100, 20, said.audio)], 25, fps=5)
    heard, warnings = decode(path)
    assert (lag(heard, said.audio)[0] / speech.RATE, warnings) == (pytest.approx(20, abs=0.2), [])
    with open_it(path) as stream:
        assert stream.duration == pytest.approx(20 + said.seconds, abs=0.2)


@pytest.mark.parametrize(("codec", "unit"), [("libmp3lame", 44_100 / 1152), ("pcm_s16le", 44_100)])
def test_a_start_in_the_head_is_silence(tmp_path, said, codec, unit):
    path = write(tmp_path / "x.avi", said.audio, "avi", codec, 44_100)
    data = bytearray(path.read_bytes())
    at = data.index(b"strh") + 8 + 28
    data[at : at + 4] = struct.pack("<I", round(7 * unit))
    path.write_bytes(data)
    heard, warnings = decode(path)
    assert (lag(heard, said.audio)[0] / speech.RATE, warnings) == (pytest.approx(7, abs=0.1), [])


def test_an_index_of_nonsense_changes_nothing(tmp_path, said):
    path = write(tmp_path / "x.avi", said.audio, "avi", "libmp3lame", 44_100)
    whole, data = decode(path)[0], path.read_bytes()
    at = data.index(b"idx1")
    for tail in (b"idx1\xff\xff\xff\xff" + b"\0" * 100, b"idx1", b"", b"idx1\x10\0\0\0" + b"00wb" * 4):
        path.write_bytes(data[:at] + tail)
        assert len(decode(path)[0]) == pytest.approx(len(whole), abs=2000)


@pytest.mark.ci
def test_an_index_is_looked_at_piece_by_piece(tmp_path, said):
    """Here of 32 MiB, in which every second chunk is empty: a recording of days, or one that is made to take memory."""
    path = write(tmp_path / "x.avi", said.audio, "avi", "libmp3lame", 44_100)
    data = path.read_bytes()
    at = data.index(b"idx1")
    index = np.zeros(2**21, [("name", "S4"), ("flags", "<u4"), ("at", "<u4"), ("size", "<u4")])
    index["name"], index["at"], index["size"] = b"00wb", 4 + 16 * np.arange(len(index)), np.arange(len(index)) % 2
    path.write_bytes(data[:at] + b"idx1" + struct.pack("<I", index.nbytes) + index.tobytes())
    seen = path.stat()
    file = SourceFile(str(path), seen.st_size, seen.st_mtime_ns)
    tracemalloc.start()
    try:
        holes = avi.places(file, 0).holes
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        file.close()
    movi = data.index(b"movi")
    places = [(place - movi - 12) / 16 for place in holes]
    assert places[:3] == [1, 3, 5]
    assert places == list(range(1, 2 * len(places), 2)), "none is missed between two pieces"
    assert list(holes.values())[70_000] == pytest.approx(140_001 * 1152 / 44_100)
    assert most < 24 * 2**20
