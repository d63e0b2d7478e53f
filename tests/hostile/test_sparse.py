"""Files of a terabyte that hold nothing: asked for their layout, never read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from sttd.config import Paths
from sttd.daemon.twins import content_hash
from sttd.fs import copies, moves, sparse
from sttd.fs.folder import Folder
from sttd.job import Job
from sttd.outbox import Places

TERABYTE = 2**40


def made(path: Path, size: int = TERABYTE, *pieces: int) -> Path:
    """A file with a MiB of data at each place."""
    with path.open("wb") as file:
        for place in pieces:
            file.seek(place)
            file.write(b"data" * 2**18)
        file.truncate(size)
    return path


def unwritten(path: Path) -> bool:
    with path.open("rb") as file:
        return sparse.is_unwritten(file.fileno())


def test_mostly_holes_is_unwritten_and_some_silence_is_not(tmp_path):
    """A hole in a WAV file may be silence on a file system that compresses; 16 GiB of it are none."""
    assert unwritten(made(tmp_path / "a", TERABYTE))
    assert unwritten(made(tmp_path / "b", TERABYTE, 0, TERABYTE // 2, TERABYTE - 2**20))
    assert not unwritten(made(tmp_path / "c", 2**33, 0))
    assert not unwritten(made(tmp_path / "d", 2**20, 0))
    assert not unwritten(made(tmp_path / "e", 0))


def test_what_is_mostly_holes_is_not_hashed(tmp_path):
    for path, hashed in ((made(tmp_path / "a"), False), (made(tmp_path / "b", 2**20, 0), True)):
        seen = path.stat()
        job = Job(1, path.name, seen.st_size, seen.st_mtime_ns, location=str(path))
        assert bool(content_hash(job, Places(Paths(root=tmp_path)))) is hashed


def test_a_terabyte_of_holes_moves_to_another_file_system_at_once_and_stays_sparse(tmp_path):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == tmp_path.stat().st_dev:
            pytest.skip("one file system")
        source, target = made(tmp_path / "a", TERABYTE, 2**30, TERABYTE - 2**20), Path(other, "b")
        with Folder.open(tmp_path) as here, Folder.open(other) as there:
            moves.move_new(here, "a", there, "b")
        assert not source.exists()
        assert target.stat().st_size == TERABYTE
        assert target.stat().st_blocks * 512 < 2**23
        with target.open("rb") as file:
            for place, data in ((2**30, b"data"), (TERABYTE - 4, b"data"), (TERABYTE // 2, bytes(4))):
                file.seek(place)
                assert file.read(4) == data


@pytest.mark.parametrize("place", [0, 2**21 - 1, 2**30, TERABYTE - 1])
def test_a_copy_that_differs_in_one_byte_is_told_from_its_source(tmp_path, place):
    """In what is data in both, or a hole in one of them."""
    one, other = (made(tmp_path / name, TERABYTE, 0, 2**20) for name in "ab")
    with one.open("rb") as left, other.open("r+b") as right:
        assert copies._same_data(left.fileno(), right.fileno())
        right.seek(place)
        right.write(b"x")
        right.flush()
        assert not copies._same_data(left.fileno(), right.fileno())
        assert not copies._same_data(right.fileno(), left.fileno())
