"""`output.place = "beside"`: results in the folder of their recording, which stays where it is."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sttd import outbox
from sttd.fs import moves
from sttd.fs.folder import Folder
from sttd.job import Job, State
from sttd.outbox import former, names
from sttd.outbox.formats import FORMATS
from tests.machine import needs_mounts, needs_root
from tests.outbox.test_outbox import SAID, commit, files_in, keep, kill_at, make, other_disk, stage
from tests.unprivileged import NOBODY, as_nobody

__all__ = ["other_disk"]
RESULTS = sorted(f"sub/talk.en.{suffix}" for suffix in FORMATS)


def library(root: Path, inbox: Path | None = None, **output: object):
    """A configuration with results beside the sources, a job, and its source."""
    config, job, source = make(root)
    if inbox is not None:  # on another file system
        shutil.copytree(config.paths.inbox, inbox, dirs_exist_ok=True)
        source = inbox / job.source
        config = dataclasses.replace(config, paths=dataclasses.replace(config.paths, inbox=inbox))
        seen = source.stat()
        job = Job(1, job.source, seen.st_size, seen.st_mtime_ns, language="en", model="demo", requested_model="demo")
    return dataclasses.replace(config, output=dataclasses.replace(config.output, place="beside", **output)), job, source


def test_results_lie_beside_their_recording_as_a_media_server_wants_them(tmp_path):
    """Whatever `output.source` says, it stays; who may read it may read the results; a name that is taken gets a number."""
    config, job, source = library(tmp_path, source="delete")
    source.chmod(0o644)
    source.parent.chmod(0o2775)
    filed = commit(config, job)
    assert files_in(tmp_path / "inbox") == [*RESULTS, "sub/talk.mp3"]
    assert (filed.location, filed.changed) == (None, False)
    for path in map(Path, filed.outputs):
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert path.stat().st_gid == source.parent.stat().st_gid
    assert files_in(tmp_path / "transcripts") == files_in(tmp_path / "archive") == []
    assert {Path(path).name for path in commit(config, job).outputs} == {f"talk (2).en.{suffix}" for suffix in FORMATS}


@pytest.mark.parametrize(
    "kind",
    [
        "one disk",
        pytest.param("one disk, every format", marks=pytest.mark.ci),
        pytest.param("a library on another disk", marks=pytest.mark.ci),
        pytest.param("a folder of another group", marks=[needs_root, pytest.mark.ci]),
    ],
)
def test_a_kill_at_any_file_call_leaves_one_whole_result(tmp_path, other_disk, kind):
    for step in range(1, 1000):
        root = tmp_path / str(step)
        root.mkdir()
        # two of a kind and another one: each has many steps of its own
        formats = tuple(FORMATS) if "every format" in kind else ("txt", "srt", "json")
        inbox = other_disk / str(step) if "another disk" in kind else None
        config, job, source = library(root, inbox, formats=formats)
        if "group" in kind:
            os.chown(source.parent, -1, NOBODY)
            source.parent.chmod(0o2775)
        plan = stage(config, job)
        is_over = kill_at(step, functools.partial(outbox.keep, plan, outbox.Places(config.paths)))
        outbox.remove_leftovers(
            config, outbox.Places(config.paths), [job.evolve(state=State.COMMITTING, plan=plan.to_json())]
        )
        keep(config, plan)
        results = sorted(f"sub/talk.en.{suffix}" for suffix in formats)
        assert files_in(Path(config.paths.inbox)) == [*results, "sub/talk.mp3"], step
        assert not list(Path(config.paths.inbox).rglob(".sttd-*")), step
        assert json.loads(source.with_name("talk.en.json").read_bytes())["job"] == 1
        if "group" in kind:
            assert {path.stat().st_gid for path in source.parent.glob("talk.en.*")} == {NOBODY}
        if is_over:
            return
    raise AssertionError("it does not end")


@pytest.mark.ci
def test_half_a_copy_in_the_library_is_removed_by_the_next_start(tmp_path, other_disk):
    """Also where nothing was ever archived from the recording's folder, and nobody goes on with the job."""
    config, job, _ = library(tmp_path, other_disk / "library")
    plan = stage(config, job)
    parts = functools.partial(Path(config.paths.inbox).rglob, ".sttd-*.part")
    step = next(
        step for step in range(1, 1000)
        if kill_at(step, functools.partial(outbox.keep, plan, outbox.Places(config.paths))) or [*parts()]
    )  # fmt: skip
    assert [*parts()], step
    outbox.remove_leftovers(
        config, outbox.Places(config.paths), [job.evolve(state=State.COMMITTING, plan=plan.to_json())]
    )
    assert not [*parts()]


def test_a_folder_that_sttd_may_not_write_to_is_named_with_the_remedy(tmp_path, monkeypatch):
    config, job, source = library(tmp_path)
    plan = stage(config, job)
    refused = PermissionError(13, "Permission denied", str(source))
    with monkeypatch.context() as patch:
        patch.setattr("sttd.fs.moves.move_new", lambda *_: (_ for _ in ()).throw(refused))
        patch.setattr(os, "access", lambda *_, **__: False)
        with pytest.raises(PermissionError, match=r"may not write into .*/inbox/sub: .*chmod g\+w it"):
            keep(config, plan)
    assert files_in(tmp_path / "inbox") == ["sub/talk.mp3"]
    assert len(keep(config, plan).outputs) == len(FORMATS)


READ_ONLY = """
import pathlib, subprocess, sys
sys.path.insert(0, {here!r})
from sttd.fs.blame import blame
from tests.outbox.test_beside import keep, library, stage
config, job, source = library(pathlib.Path({root!r}))
plan = stage(config, job)
subprocess.run(["mount", "--bind", str(source.parent), str(source.parent)], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", str(source.parent)], check=True)
try:
    keep(config, plan)
except OSError as error:
    print(blame(error), error)
"""


@needs_mounts
def test_a_part_of_the_library_that_is_mounted_read_only_holds_up_its_own_recordings_alone(tmp_path):
    script = READ_ONLY.format(here=os.getcwd(), root=str(tmp_path))
    apart = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", script]
    done = subprocess.run(apart, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("file "), done.stdout + done.stderr
    assert "/inbox/sub is mounted read-only: mount it writable" in done.stdout
    assert files_in(tmp_path / "inbox") == ["sub/talk.mp3"]


def test_nothing_is_written_where_the_library_is_not_mounted(tmp_path):
    """Neither where the whole inbox is away nor below a folder of it; what is placed already is found again."""
    config, job, _source = library(tmp_path)
    plan = stage(config, job)
    (tmp_path / "inbox").rename(tmp_path / "away")
    (tmp_path / "inbox" / "sub").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="the inbox is away"):
        keep(config, plan)
    (tmp_path / "inbox" / ".sttd.lock").touch()  # a folder of the inbox is the mount
    with pytest.raises(outbox.Unkept):
        keep(config, plan)
    assert files_in(tmp_path / "inbox") == []
    shutil.rmtree(tmp_path / "inbox")
    (tmp_path / "away").rename(tmp_path / "inbox")
    assert len(keep(config, plan).outputs) == len(FORMATS)


def test_results_of_a_recording_that_is_renamed_or_moved_in_this_moment_are_taken_back(tmp_path):
    config, job, source = library(tmp_path)
    plan = stage(config, job)
    outbox.keep(plan, outbox.Places(config.paths))  # and killed before the ledger knew
    source.rename(source.with_name("S01E01.mp3"))
    with pytest.raises(outbox.Unkept):
        keep(config, plan)
    assert files_in(tmp_path / "inbox") == ["sub/S01E01.mp3"]
    source.parent.rename(tmp_path / "inbox" / "Show")
    with pytest.raises(outbox.Unkept):
        keep(config, plan)
    assert files_in(tmp_path / "inbox") == ["Show/S01E01.mp3"]


def test_a_recording_that_fails_stays_in_the_library_and_its_reason_goes_once_it_is_done(tmp_path):
    config, job, source = library(tmp_path)
    put = outbox.file_failure(job.evolve(error="no audio"), config, outbox.Places(config.paths))
    assert (put.location, source.exists()) == (None, True)
    assert files_in(tmp_path / "failed") == ["sub/talk.mp3.error.json"]
    commit(config, job)
    assert files_in(tmp_path / "failed") == []


def test_what_lies_elsewhere_has_its_results_among_the_transcripts(tmp_path):
    """A redo of what was archived before the configuration changed."""
    config, job, source = library(tmp_path)
    archived = tmp_path / "archive" / "talk.mp3"
    shutil.move(source, archived)
    filed = commit(config, job.evolve(location=str(archived), redo_of=7))
    assert all(path.startswith(f"{tmp_path}/transcripts/sub/") for path in filed.outputs)
    assert archived.exists()


def test_a_link_in_the_way_leads_nowhere(tmp_path):
    config, job, source = library(tmp_path)
    plan = stage(config, job)
    elsewhere = tmp_path / "elsewhere"
    source.parent.rename(elsewhere)
    source.parent.symlink_to(elsewhere)
    with pytest.raises(outbox.Unkept):
        keep(config, plan)
    assert files_in(elsewhere) == ["talk.mp3"]


def test_a_plan_of_an_older_version_is_kept(tmp_path):
    config, job, _ = make(tmp_path)
    known = stage(config, job).to_json()
    del known["place"]
    plan = outbox.Plan.from_json(known)
    assert all(path.startswith(f"{tmp_path}/transcripts/") for path in keep(config, plan).outputs)
    with Folder.open(tmp_path / "transcripts") as folder:
        assert folder.names()


def followed(config, name: str, written, former: str = "sub/talk.mp3"):
    """What follows the recording to its new name."""
    seen = Path(config.paths.inbox, name).stat()
    job = Job(2, name, seen.st_size, seen.st_mtime_ns)
    return outbox.follow(job, former, written, outbox.Places(config.paths))


@pytest.mark.parametrize("name", ["sub/S01E01.mkv", pytest.param("Season 1/S01E01.mkv", marks=pytest.mark.ci)])
def test_a_kill_while_results_are_renamed_leaves_each_of_them_whole(tmp_path, name):
    for step in range(1, 100):
        root = tmp_path / str(step)
        root.mkdir()
        config, job, source = library(root, formats=("srt", "txt"))
        plan = stage(config, job)
        filed = keep(config, plan)
        written = {path: plan.hashes[path[-3:]] for path in filed.outputs}
        (root / "inbox" / name).parent.mkdir(exist_ok=True)
        source.rename(root / "inbox" / name)
        is_over = kill_at(step, functools.partial(followed, config, name, written))
        result = followed(config, name, written)
        stem = name.removesuffix(".mkv")
        assert files_in(root / "inbox") == sorted([f"{stem}.en.srt", f"{stem}.en.txt", name]), step
        assert sorted(result.outputs) == [f"{root}/inbox/{stem}.en.{suffix}" for suffix in ("srt", "txt")]
        assert not result.left
        if is_over:
            return
    raise AssertionError("it does not end")


def test_results_that_went_along_with_their_folder_are_found_there(tmp_path):
    config, job, source = library(tmp_path, formats=("srt",))
    plan = stage(config, job)
    written = dict.fromkeys(keep(config, plan).outputs, plan.hashes["srt"])
    source.parent.rename(tmp_path / "inbox" / "Show (2019)")
    found = followed(config, "Show (2019)/talk.mp3", written)
    assert list(found.outputs) == [f"{tmp_path}/inbox/Show (2019)/talk.en.srt"]


def test_a_name_that_somebody_has_is_left_to_them_when_results_follow(tmp_path):
    config, job, source = library(tmp_path, formats=("srt",))
    plan = stage(config, job)
    (path,) = keep(config, plan).outputs
    source.rename(source.with_name("S01E01.mkv"))
    source.with_name("S01E01.en.srt").write_text("mine")
    assert followed(config, "sub/S01E01.mkv", {path: plan.hashes["srt"]}).left == (path,)
    assert source.with_name("S01E01.en.srt").read_text() == "mine"


def replaced(config, job, written, language="en", **changes):
    """The plan of a redo, whose results are to replace those that were `written`."""
    redo = job.evolve(**{"id": job.id + 1, "redo_of": job.id, "language": language} | changes)
    meta = outbox.Meta.of(redo, finished_at=2.0)
    return outbox.stage(redo, meta, lambda: iter(SAID), config, outbox.Places(config.paths), earlier=lambda _: written)


def first_results(config, job):
    plan = stage(config, job)
    return {path: plan.hashes[path.rpartition(".")[2]] for path in keep(config, plan).outputs}


@pytest.mark.parametrize(
    "language", ["en", pytest.param("th", marks=pytest.mark.ci)], ids=["the same names", "another language"]
)
@pytest.mark.parametrize("place", ["beside", pytest.param("transcripts", marks=pytest.mark.ci)])
def test_a_kill_while_results_are_replaced_leaves_the_new_ones_alone(tmp_path, place, language):
    for step in range(1, 1000):
        root = tmp_path / str(step)
        root.mkdir()
        config, job, _source = library(root, formats=("json", "srt"))
        config = dataclasses.replace(config, output=dataclasses.replace(config.output, place=place, source="keep"))
        plan = replaced(config, job, first_results(config, job), language)
        is_over = kill_at(step, functools.partial(outbox.keep, plan, outbox.Places(config.paths)))
        keep(config, plan)
        folder = root / ("inbox" if place == "beside" else "transcripts") / "sub"
        found = sorted(path.name for path in folder.iterdir() if path.name != "talk.mp3")
        assert found == [f"talk.{language}.json", f"talk.{language}.srt"], step
        assert json.loads((folder / f"talk.{language}.json").read_bytes())["job"] == 2
        if is_over:
            return
    raise AssertionError("it does not end")


def test_a_result_that_somebody_has_changed_is_not_replaced(tmp_path):
    """Neither before the new ones are staged nor after, nor in the moment in which it is set aside; other formats stay."""
    config, job, source = library(tmp_path, formats=("srt",))
    written = first_results(config, job)
    source.with_name("talk.en.txt").write_text("another format, of an earlier configuration")
    written[str(source.with_name("talk.en.txt"))] = hashlib.sha256(
        source.with_name("talk.en.txt").read_bytes()
    ).hexdigest()
    plan = replaced(config, job, written)
    assert plan.replaces == {"talk.en.srt": written[str(source.with_name("talk.en.srt"))]}
    source.with_name("talk.en.srt").write_text("corrected")
    keep(config, plan)
    assert source.with_name("talk.en.srt").read_text() == "corrected"
    assert files_in(tmp_path / "inbox") == ["sub/talk (2).en.srt", "sub/talk.en.srt", "sub/talk.en.txt", "sub/talk.mp3"]
    assert replaced(config, job, written).replaces == {}


def test_a_result_that_is_written_to_while_it_is_set_aside_is_put_back(tmp_path, monkeypatch):
    config, job, source = library(tmp_path, formats=("srt",))
    plan = replaced(config, job, first_results(config, job))
    real = moves.rename_new

    def rename(folder, name, target, new):
        if name == "talk.en.srt":
            source.with_name(name).write_text("corrected")
        real(folder, name, target, new)

    monkeypatch.setattr(moves, "rename_new", rename)
    keep(config, plan)
    assert source.with_name("talk.en.srt").read_text() == "corrected"
    assert files_in(tmp_path / "inbox") == ["sub/talk (2).en.srt", "sub/talk.en.srt", "sub/talk.mp3"]


def test_a_result_that_was_written_to_before_a_kill_is_put_back_too(tmp_path):
    """The kill came between its private name and the second look at it."""
    config, job, source = library(tmp_path, formats=("srt",))
    plan = replaced(config, job, first_results(config, job))
    source.with_name("talk.en.srt").write_text("corrected")
    source.with_name("talk.en.srt").rename(source.with_name(plan.aside("talk.en.srt")))
    keep(config, plan)
    assert source.with_name("talk.en (2).srt").read_text() == "corrected"
    assert files_in(tmp_path / "inbox") == ["sub/talk.en (2).srt", "sub/talk.en.srt", "sub/talk.mp3"]


@pytest.mark.parametrize("is_staged", [True, False])
def test_earlier_results_are_back_where_nothing_comes_of_the_new_ones(tmp_path, is_staged):
    """The job is cancelled, or somebody took the staged results away, when the earlier ones had been set aside."""
    config, job, source = library(tmp_path, formats=("srt",))
    plan = replaced(config, job, first_results(config, job))
    before = source.with_name("talk.en.srt").read_bytes()
    with Folder.open(source.parent) as folder:
        assert former.set_aside(plan, folder, "talk.en.srt")
    places = outbox.Places(config.paths)
    if is_staged:
        assert outbox.undo(job.evolve(id=2, plan=plan.to_json()), config, places)
    else:
        shutil.rmtree(tmp_path / "transcripts" / ".sttd-staging")
        with pytest.raises(outbox.Unkept):
            keep(config, plan)
    assert source.with_name("talk.en.srt").read_bytes() == before
    assert not list((tmp_path / "inbox").rglob(".sttd-*"))


@pytest.mark.parametrize("is_removed", [False, True])
def test_a_new_version_that_a_person_took_is_cancelled_with_its_earlier_results_in_place(tmp_path, is_removed):
    """The source went when the earlier results had been set aside. It is too late once one of these was removed."""
    config, job, source = library(tmp_path, formats=("srt",))
    kept, config = (
        dataclasses.replace(config, output=dataclasses.replace(config.output, place="transcripts", source=fate))
        for fate in ("keep", "archive")
    )
    first = first_results(kept, job)
    (written,), plan = map(Path, first), replaced(config, job, first, redo_of=None)
    before = written.read_bytes()
    with Folder.open(written.parent) as folder:
        assert former.set_aside(plan, folder, written.name)
        if is_removed:
            folder.discard(plan.aside(written.name))
    source.unlink()
    assert outbox.undo(job.evolve(id=2, plan=plan.to_json()), config, outbox.Places(config.paths)) is not is_removed
    assert files_in(tmp_path / "transcripts" / "sub") == ([] if is_removed else [written.name])
    assert is_removed or written.read_bytes() == before


def test_the_language_is_written_as_media_servers_know_it():
    written = {
        language: names.results("talk.mp3", language, ["srt"], 1)["srt"] for language in ("th", "jw", "yue", "?")
    }
    assert written == {"th": "talk.th.srt", "jw": "talk.jv.srt", "yue": "talk.yue.srt", "?": "talk.und.srt"}


@needs_root
def test_a_member_s_folder_that_is_closed_to_the_service_waits_with_the_remedy_and_is_served_once_it_is_open():
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o777)
        config, job, source = library(root, formats=("srt",))
        for folder in config.paths.inbox, config.paths.transcripts, config.paths.archive, config.paths.failed:
            folder.chmod(0o777)
        source.parent.chmod(0o755)  # a member's
        closed = as_nobody(lambda: commit(config, job))
        assert f"may not write into {source.parent}" in closed.err
        assert "chmod g+w" in closed.err
        assert files_in(root / "inbox") == ["sub/talk.mp3"]
        source.parent.chmod(0o777)
        assert as_nobody(lambda: commit(config, job)).err == ""
        assert files_in(root / "inbox") == ["sub/talk.en.srt", "sub/talk.mp3"]


@pytest.mark.parametrize(
    "language", ["en", pytest.param("th", marks=pytest.mark.ci)], ids=["the same names", "another language"]
)
def test_a_job_is_cancelled_with_its_earlier_results_or_is_done_with_its_new_ones(tmp_path, language):
    """Killed at any call while results are replaced, then cancelled: never is there none."""
    for step in range(1, 1000):
        root = tmp_path / str(step)
        root.mkdir()
        config, job, source = library(root, formats=("json", "srt"))
        plan = replaced(config, job, first_results(config, job), language)
        places = outbox.Places(config.paths)
        is_over = kill_at(step, functools.partial(outbox.keep, plan, places))
        if outbox.undo(job.evolve(id=2, plan=plan.to_json()), config, places):
            left, number = "en", 1
        else:
            keep(config, plan)
            left, number = language, 2
        found = sorted(path.name for path in source.parent.iterdir() if path != source)
        assert found == [f"talk.{left}.json", f"talk.{left}.srt"], step
        assert json.loads(source.with_name(f"talk.{left}.json").read_bytes())["job"] == number
        if is_over:
            return
    raise AssertionError("it does not end")
