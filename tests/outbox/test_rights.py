"""A source that may not be moved stays, its results appear, and why is told with the remedy; its mode is made ours where it may be."""

from __future__ import annotations

import dataclasses
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from sttd import outbox
from sttd.fs import moves
from sttd.outbox import Places
from sttd.outbox.formats import FORMATS
from tests.machine import needs_root
from tests.outbox.test_outbox import commit, make
from tests.unprivileged import as_nobody


def kept_by_nobody(prepare) -> list[str]:
    """What a service without rights says of a source that is done, and of one that failed."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o777)
        config, job, source = make(root)
        for folder in config.paths.inbox, config.paths.transcripts, config.paths.archive, config.paths.failed:
            folder.chmod(0o777)
        source.chmod(0o644)
        prepare(source)

        def work() -> None:
            print(commit(config, job).kept_because)
            print(outbox.file_failure(job.evolve(error="no audio"), config, Places(config.paths)).kept_because)
            print(
                len(list((root / "transcripts" / "sub").iterdir())), (root / "failed/sub/talk.mp3.error.json").exists()
            )

        done = as_nobody(work)
        assert done.err == ""
        assert source.exists()
        return done.out.splitlines()


@needs_root
def test_a_folder_that_the_group_may_not_write_to_keeps_its_source():
    one, other, rest = kept_by_nobody(lambda source: source.parent.chmod(0o755))
    assert one == other
    assert "may not move files out of" in one
    assert "chmod g+w" in one
    assert rest == f"{len(FORMATS)} True"


@needs_root
def test_a_sticky_folder_keeps_what_others_put_there():
    one, other, rest = kept_by_nobody(lambda source: source.parent.chmod(0o1777))
    assert one == other
    assert "sticky: chmod -t" in one
    assert rest == f"{len(FORMATS)} True"


@needs_root
@pytest.mark.parametrize("other_disk", [False, True])
def test_a_failed_source_that_may_be_written_but_not_moved_has_one_name(other_disk):
    """A service may give such a file a second name, or copy it, and only then learns that the first one stays."""
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory(dir="/dev/shm") as shm:
        root = Path(name)
        for folder in root, Path(shm):
            folder.chmod(0o777)
        config, job, source = make(root)
        config.paths.failed.rmdir()
        failed = Path(shm) / "failed" if other_disk else config.paths.failed
        config = dataclasses.replace(config, paths=dataclasses.replace(config.paths, failed=failed))
        failed.mkdir()
        for folder in failed, config.paths.inbox:
            folder.chmod(0o777)
        source.chmod(0o666)
        source.parent.chmod(0o1777)

        def work() -> None:
            for _ in range(2):
                print(outbox.file_failure(job.evolve(error="no audio"), config, Places(config.paths)).kept_because)

        done = as_nobody(work)
        assert done.err == ""
        assert all("sticky: chmod -t" in line for line in done.out.splitlines())
        assert os.listdir(failed / "sub") == ["talk.mp3.error.json"]
        assert source.stat().st_nlink == 1


@needs_root
@pytest.mark.skipif(shutil.which("chattr") is None, reason="chattr (e2fsprogs) is not installed")
def test_an_immutable_file_stays(tmp_path):
    config, job, source = make(tmp_path)
    if subprocess.run(["chattr", "+i", source], check=False, capture_output=True).returncode:
        pytest.skip("the file system of the tests has no attributes")
    try:
        filed = commit(config, job)
    finally:
        subprocess.run(["chattr", "-i", source], check=True)
    assert "immutable: chattr -i" in filed.kept_because
    assert filed.location is None
    assert source.exists()


def numbers(seen: os.stat_result) -> tuple[int, int]:
    return seen.st_dev, seen.st_ino


@pytest.mark.parametrize("end", ["archive", "another disk", "keep", "failed"])
def test_the_bytes_of_a_source_are_on_disk_before_it_is_filed_away_or_its_job_done(tmp_path, monkeypatch, end):
    """Whoever dropped it may not have synced it: after a power cut there was a transcript, and a recording of zeros."""
    config, job, source = make(tmp_path, "keep" if end == "keep" else "archive")
    number, synced, fsync, rename = numbers(source.stat()), [], os.fsync, moves.rename_new
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(numbers(os.fstat(handle))) or fsync(handle))

    def renamed(folder, name, target, new):
        """Nothing of a source has its name in archive/ or failed/ before its bytes are on disk."""
        if target.path.startswith((str(tmp_path / "archive"), str(tmp_path / "failed"), "/dev/shm")):
            assert numbers(folder.file(name)) in synced
        rename(folder, name, target, new)

    monkeypatch.setattr(moves, "rename_new", renamed)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if end == "another disk":
            config = dataclasses.replace(config, paths=dataclasses.replace(config.paths, archive=Path(other)))
        if end == "failed":
            put = outbox.file_failure(job.evolve(error="no audio"), config, Places(config.paths))
            assert put.location is not None
        else:
            commit(config, job)
    assert source.exists() is (end == "keep")
    assert number in synced or end == "another disk"


def test_a_source_that_anybody_may_write_to_has_the_mode_of_results_in_the_archive_and_in_failed(tmp_path):
    config, job, source = make(tmp_path)
    source.chmod(0o666)
    assert stat.S_IMODE(os.stat(commit(config, job).location).st_mode) == 0o640
    config, job, source = make(tmp_path)
    source.chmod(0o666)
    put = outbox.file_failure(job.evolve(error="no audio"), config, Places(config.paths))
    assert stat.S_IMODE(os.stat(put.location).st_mode) == 0o640


@needs_root
@pytest.mark.parametrize("end", ["archive", "failed"])
def test_the_copy_of_a_file_of_another_user_that_anybody_may_write_to_has_the_mode_of_results(end):
    """On another disk it is the service's own. The file itself keeps its mode, which only its owner may change."""
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory(dir="/dev/shm") as shm:
        root, there = Path(name), Path(shm) / end
        config, job, source = make(root)
        config = dataclasses.replace(config, paths=dataclasses.replace(config.paths, **{end: there}))
        there.mkdir()
        for folder in root, there.parent, there, config.paths.inbox, config.paths.transcripts, source.parent:
            folder.chmod(0o777)
        source.chmod(0o666)

        def work() -> None:
            if end == "archive":
                print(commit(config, job).location)
            else:
                print(outbox.file_failure(job.evolve(error="no audio"), config, Places(config.paths)).location)

        done = as_nobody(work)
        assert done.err == ""
        assert not source.exists()
        assert stat.S_IMODE((there / "sub" / "talk.mp3").stat().st_mode) == 0o640
