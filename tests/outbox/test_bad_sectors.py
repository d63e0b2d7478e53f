"""A recording on a disk with a bad sector: its own job alone is concerned, and results that are there already stay."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from pathlib import Path

import pytest

from sttd import outbox
from sttd.fs.blame import Blame, Unreadable, blame, reading
from sttd.fs.digest import digest_of
from sttd.job import State
from tests.outbox.test_outbox import files_in, make, other_disk, stage

__all__ = ["other_disk"]


@pytest.fixture(params=["pread", "lseek"])
def bad(monkeypatch, request):
    """From the call on the bytes of one file cannot be read, or where it has holes."""

    def begin(path: Path) -> None:
        real, wanted = getattr(os, request.param), path.stat()

        def refuse(handle, *args):
            if (request.param, args[-1]) != ("lseek", os.SEEK_SET) and os.path.samestat(os.fstat(handle), wanted):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(handle, *args)

        monkeypatch.setattr(os, request.param, refuse)

    return begin


def test_a_real_file_whose_bytes_cannot_be_read_is_its_own_trouble():
    """Memory at address 0 is no process's: read(2) says EIO of it, as of a bad sector."""
    handle = os.open("/proc/self/mem", os.O_RDONLY)
    try:
        with pytest.raises(Unreadable, match=r"cannot be read to its end .Input/output error.: drop a copy") as caught:
            digest_of(handle)
    finally:
        os.close(handle)
    assert blame(caught.value) is Blame.FILE


@pytest.mark.parametrize("number", [errno.ESTALE, errno.ENOTCONN, errno.ENODEV])
def test_a_disk_that_is_away_is_the_machines_trouble(tmp_path, monkeypatch, number):
    config, job, _ = make(tmp_path)
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: (_ for _ in ()).throw(OSError(number, os.strerror(number))))
    with pytest.raises(OSError, match="Errno") as caught:
        stage(config, job)
    assert blame(caught.value) is Blame.MACHINE


def test_it_cannot_be_archived_on_another_disk_and_its_results_are_there(tmp_path, other_disk, bad):
    config, job, source = make(tmp_path, archive=other_disk)
    plan = stage(config, job)
    bad(source)
    filed = outbox.keep(plan, outbox.Places(config.paths))
    assert filed.location is None
    assert "cannot be read to its end" in str(filed.kept_because)
    assert files_in(other_disk) == []
    assert len(filed.outputs) == len(files_in(config.paths.transcripts)) > 0
    assert source.exists()


def test_it_cannot_be_compared_before_it_is_filed_away_and_its_results_are_there(tmp_path, monkeypatch):
    """One that was written a moment before it was hashed is hashed once more. Its job was tried again for ever, and it had no name of its own."""
    config, job, source = make(tmp_path)
    plan = stage(config, job)
    assert plan.young

    def digest_of(_handle):
        with reading():
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    for rename_first in (False, True):
        if rename_first:
            source.rename(source.with_name(plan.private_name))
        monkeypatch.setattr(sys.modules["sttd.outbox.source"], "digest_of", digest_of)
        filed = outbox.keep(plan, outbox.Places(config.paths))
        assert filed.location is None
        assert "cannot be read to its end" in str(filed.kept_because)
        assert len(filed.outputs) == len(files_in(config.paths.transcripts)) > 0
        assert [path.name for path in source.parent.iterdir()] == [source.name]


def test_it_cannot_be_put_aside_on_another_disk_and_its_reason_is_there(tmp_path, other_disk, bad):
    config, job, source = make(tmp_path)
    (tmp_path / "failed").rmdir()
    (tmp_path / "failed").symlink_to(other_disk)
    bad(source)
    put = outbox.file_failure(job.evolve(state=State.FAILED, error="it is odd"), config, outbox.Places(config.paths))
    assert put.location is None
    assert "cannot be read to its end" in str(put.kept_because)
    assert [Path(name).suffix for name in files_in(other_disk)] == [".json"]
    assert source.exists()
