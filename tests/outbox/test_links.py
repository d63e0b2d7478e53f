"""Attacked as a member of the group, who may do what they like in the inbox while a file of it is dealt with."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from pathlib import Path

import pytest

from sttd import outbox
from sttd.errors import SttdError
from sttd.fs.folder import Folder
from sttd.outbox import names
from tests.harness import PATIENCE
from tests.outbox.test_outbox import files_in, keep, make, stage

FATES = ("archive", "delete")


def swap_for_a_link_to_the_archive(root: Path, seen: os.stat_result) -> Path:
    """The folder of the inbox becomes a link; behind it lies somebody else's recording, of the same size and time."""
    theirs = root / "archive" / "sub" / "talk.mp3"
    theirs.parent.mkdir()
    theirs.write_bytes(b"THEIR" * 1000)
    os.utime(theirs, ns=(seen.st_mtime_ns, seen.st_mtime_ns))
    (root / "inbox" / "sub").rename(root / "inbox" / "mine")
    (root / "inbox" / "sub").symlink_to(root / "archive" / "sub")
    return theirs


@pytest.mark.parametrize("fate", FATES)
def test_a_folder_swapped_for_a_link_to_the_archive_costs_nobody_a_recording(tmp_path, fate):
    """Between the promise and its keeping: the archived recording stays, the attacker's own file too."""
    config, job, source = make(tmp_path, fate)
    os.utime(source, (1e9, 1e9))
    job = dataclasses.replace(job, mtime_ns=source.stat().st_mtime_ns)
    plan = stage(config, job)
    theirs = swap_for_a_link_to_the_archive(tmp_path, source.stat())
    keep(config, plan)
    assert theirs.read_bytes() == b"THEIR" * 1000
    assert (tmp_path / "inbox" / "mine" / "talk.mp3").exists()


def test_no_step_on_a_source_looks_behind_a_link(tmp_path):
    """Neither its hash, nor its move to failed/, nor the way back of a stranded one."""
    config, job, source = make(tmp_path)
    theirs = swap_for_a_link_to_the_archive(tmp_path, source.stat())
    stranded = theirs.with_name(names.private(9, "0" * 16, "talk.mp3"))
    theirs.rename(stranded)
    places = outbox.Places(config.paths)
    with pytest.raises(FileNotFoundError) as gone:
        stage(config, job)
    assert gone.value.filename == str(source)
    assert outbox.file_failure(job, config, places).location == ""
    assert outbox.put_back(f"sub/{stranded.name}", places) is None
    assert stranded.exists()


def test_a_waiting_file_swapped_for_a_fifo_blocks_no_thread(tmp_path):
    config, job, source = make(tmp_path)
    plan = stage(config, job)
    source.unlink()
    os.mkfifo(source)
    ends = []
    steps = (
        lambda: stage(config, job),
        lambda: keep(config, plan),
        lambda: outbox.file_failure(job, config, outbox.Places(config.paths)),
    )

    def work(step) -> None:
        try:
            ends.append(step())
        except FileNotFoundError as error:
            ends.append(error)

    threads = [threading.Thread(target=work, args=(step,), daemon=True) for step in steps]
    for thread in threads:
        thread.start()
        thread.join(PATIENCE)
    assert len(ends) == len(steps)
    assert source.is_fifo()


@pytest.mark.parametrize("kind", ["file", "twin", "folder", "link"])
def test_what_is_planted_under_a_private_name_gives_a_recording_no_second_result(tmp_path, kind):
    """By somebody who read the ledger: the source goes its way, and what was planted gets a name that everybody sees."""
    config, job, source = make(tmp_path)
    os.utime(source, (1e9, 1e9))
    job = dataclasses.replace(job, mtime_ns=source.stat().st_mtime_ns)
    plan = stage(config, job)
    planted = source.parent / plan.private_name
    if kind == "folder":
        planted.mkdir()
    elif kind == "link":
        planted.symlink_to("/etc/passwd")
    else:
        planted.write_bytes(b"PLANT" * 1000)
        when = 1e9 if kind == "twin" else 2e9
        os.utime(planted, (when, when))
    filed = keep(config, plan)
    assert filed.location == str(tmp_path / "archive/sub/talk.mp3")
    assert not filed.changed
    assert Path(filed.location).read_bytes() == b"sound" * 1000
    assert os.listdir(source.parent) == ["talk (2).mp3"]


def test_private_names_of_one_job_are_never_the_same(tmp_path):
    config, job, _ = make(tmp_path)
    assert stage(config, job).private_name != stage(config, job).private_name


@pytest.mark.parametrize("fate", FATES)
def test_a_plan_names_no_folder_and_is_refused_where_it_does(tmp_path, fate):
    """Whoever could write a plan into the ledger could still reach nothing but the inbox and our own folders."""
    config, job, source = make(tmp_path, fate)
    plan = stage(config, job)
    archived, outside = tmp_path / "archive" / "theirs.mp3", tmp_path / "elsewhere" / "theirs.mp3"
    outside.parent.mkdir()
    for theirs in (archived, outside):
        theirs.write_bytes(b"sound" * 1000)  # as was transcribed
        os.utime(theirs, ns=(job.mtime_ns, job.mtime_ns))
    for forged in (
        {"staging": "../../state"},
        {"hashes": {"../x": ""}},
        {"name": "../archive/theirs.mp3"},
        {"name": "/etc"},
    ):
        with pytest.raises(SttdError):
            outbox.Plan.from_json(plan.to_json() | forged)
    failed = config.paths.failed
    for where in (
        archived,
        outside,
        "/etc/passwd",
        f"{failed}/../archive/theirs.mp3",
        f"{failed}/../elsewhere/theirs.mp3",
    ):
        forged = outbox.Plan.from_json(plan.to_json() | {"location": str(where)})
        with contextlib.suppress(outbox.Unkept):
            outbox.keep(forged, outbox.Places(config.paths))
        assert all(path.exists() for path in (archived, outside, source)), where


def test_a_walk_follows_no_link_and_leaves_no_folder(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "link").symlink_to(tmp_path)
    (tmp_path / "a" / "b" / "file").touch()
    with Folder.open(tmp_path) as root:
        with root.below(["a", "b"]) as found:
            assert found.names() == ["file"]
        for parts in (["a", ".."], ["a", "link"], ["a", "b", "file"], ["a", "none"], [""], ["a/b"]):
            with pytest.raises(FileNotFoundError):
                root.below(parts)
        with pytest.raises(NotADirectoryError):
            root.make_below(["a", "link", "new"])
    assert not (tmp_path / "new").exists()


def test_a_source_that_is_a_link_by_now_is_not_what_was_transcribed(tmp_path):
    config, job, source = make(tmp_path)
    plan = stage(config, job)
    source.rename(tmp_path / "elsewhere.mp3")
    source.symlink_to(tmp_path / "elsewhere.mp3")
    keep(config, plan)
    assert source.is_symlink()
    assert (tmp_path / "elsewhere.mp3").exists()
    assert files_in(tmp_path / "archive") == []


@pytest.mark.parametrize("what", ["fifo", "link"])
def test_a_transcript_that_somebody_put_something_else_in_the_place_of_is_not_copied(tmp_path, what):
    """A FIFO would hold the thread for file work until somebody wrote to it, and for ever where nobody does."""
    config, job, _ = make(tmp_path)
    plan = stage(config, job)
    original = dataclasses.replace(job, outputs=keep(config, plan).outputs)
    config, twin, _ = make(tmp_path, rel="sub/other.mp3", number=2)
    twin = dataclasses.replace(twin, sha256=plan.sha256)
    assert outbox.stage_copy(twin, original, config, outbox.Places(config.paths)) is not None
    (path,) = [Path(path) for path in original.outputs if path.endswith("json")]
    path.rename(tmp_path / "kept")
    os.mkfifo(path) if what == "fifo" else path.symlink_to(tmp_path / "kept")
    copied: list[outbox.Plan | None] = []
    copying = threading.Thread(
        target=lambda: copied.append(outbox.stage_copy(twin, original, config, outbox.Places(config.paths))),
        daemon=True,
    )
    copying.start()
    copying.join(PATIENCE / 4)
    assert copied == [None]
