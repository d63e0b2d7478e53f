"""Names that are taken, that a file system refuses, or that make a path too long: each file gets one that fits."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from sttd import outbox
from sttd.fs.folder import Folder
from sttd.outbox import Places, names
from sttd.outbox.formats import FORMATS
from sttd.outbox.place import folder_below, place
from tests.outbox.test_outbox import commit, files_in, keep, make, stage

REFUSED = '<>:"\\|?*'


@pytest.fixture(params=[errno.EINVAL, errno.ENOENT], ids=["EINVAL", "ENOENT"])
def windows_names(monkeypatch, request):
    """From its call on file systems answer as exFAT and NTFS do, or as SMB servers do, whose "name invalid" Linux hands on
    as ENOENT. None of them can be mounted where the tests run."""

    def refusing(call):
        def answer(*args, **more):
            name = os.fsdecode([arg for arg in args if isinstance(arg, str)][-1])
            if set(name) & set(REFUSED):
                raise OSError(request.param, os.strerror(request.param))
            return call(*args, **more)

        return answer

    def begin() -> None:
        monkeypatch.setattr("sttd.fs.moves._rename_noreplace", lambda *_: False)
        for name in ("link", "mkdir"):
            monkeypatch.setattr(os, name, refusing(getattr(os, name)))

    return begin


def test_a_name_that_the_file_system_refuses_is_fitted(tmp_path, windows_names):
    """Of the folder, the results and the source; those that become alike are told apart."""
    rels = ("Mon?/Call 12:30.mp3", "Mon?/Call 12_30.mp3", "Mon?/Call 12?30.mp3")
    made = [make(tmp_path, rel=rel, number=number) for number, rel in enumerate(rels, 1)]
    windows_names()
    for config, job, source in made:
        filed = commit(config, job)
        assert not source.exists()
        for path in (*filed.outputs, filed.location):
            assert Path(path).exists()
            assert not set(os.path.relpath(path, tmp_path)) & set(REFUSED)
    assert len(files_in(tmp_path / "archive")) == 3
    assert len(files_in(tmp_path / "transcripts")) == 3 * len(FORMATS)


def test_a_failed_source_whose_name_is_refused_is_put_aside_under_one_that_fits(tmp_path, windows_names):
    config, job, source = make(tmp_path, rel="Call 12:30.mp3")
    windows_names()
    put = outbox.file_failure(job.evolve(error="no audio"), config, Places(config.paths))
    assert Path(put.location).parent == tmp_path / "failed"
    assert Path(f"{put.location}.error.json").exists()
    assert not source.exists()


@pytest.mark.parametrize("length", [50, 110, 143])
def test_a_name_of_any_length_that_its_file_system_took_is_filed_away(tmp_path, monkeypatch, length):
    """eCryptfs, and with it encrypted folders of a NAS, takes 143 bytes of a name: a source's private name may have no more."""
    config, job, source = make(tmp_path, rel="ก" * ((length - 4) // 3) + "x" * ((length - 4) % 3) + ".mp3")
    assert len(os.fsencode(job.source)) == length

    def refusing(call):
        def answer(*args, **more):
            if any(len(os.fsencode(os.path.basename(arg))) > 143 for arg in args if isinstance(arg, str)):
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            return call(*args, **more)

        return answer

    monkeypatch.setattr("sttd.fs.moves._rename_noreplace", lambda *_: False)
    for name in ("link", "mkdir", "stat", "rename", "open", "unlink"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    filed = commit(config, job)
    assert os.path.basename(filed.location) == job.source
    assert all(map(os.path.exists, filed.outputs))
    assert len(filed.outputs) == len(FORMATS)
    assert not source.exists()
    put = outbox.file_failure(make(tmp_path, rel=job.source)[1].evolve(error="no audio"), config, Places(config.paths))
    assert os.path.basename(put.location) == job.source
    assert not source.exists()


@pytest.mark.parametrize("where", ["transcripts", "archive", "failed"])
def test_a_folder_named_like_a_file_gets_a_number(tmp_path, where):
    """A file or a link that has the folder's name keeps it; the job waits for nobody."""
    config, job, _ = make(tmp_path)
    (tmp_path / where / "sub").write_text("a file")
    (tmp_path / where / "sub (2)").symlink_to("/etc")
    if where == "failed":
        put = outbox.file_failure(job.evolve(error="no audio"), config, Places(config.paths))
        assert put.location == str(tmp_path / "failed/sub (3)/talk.mp3")
    else:
        commit(config, job)
        assert (tmp_path / where / "sub (3)").is_dir()
    assert (tmp_path / where / "sub").read_text() == "a file"


def test_a_path_that_is_too_long_below_its_new_root_is_cut(tmp_path):
    """It fitted in the inbox. Below a longer root nobody could open it by its path."""
    deep = tmp_path / ("x" * 200) / ("y" * 200) / ("z" * 200)
    deep.mkdir(parents=True)
    folders = tuple("ก" * 80 + str(number) for number in range(15))
    source = "/".join((*folders, "talk.mp3"))
    assert len(os.fsencode(f"{tmp_path}/{source}")) < names.PATH_LIMIT < len(os.fsencode(f"{deep}/{source}"))
    (tmp_path / "talk.mp3").write_bytes(b"sound")
    with Folder.open(tmp_path) as here, Folder.open(deep) as root, folder_below(root, folders) as target:
        path = target.path_of(place(here, "talk.mp3", target, "talk.mp3"))
    assert Path(path).read_bytes() == b"sound"
    assert len(set(names.fit_folders(folders, 3000))) == len(folders)
    assert len(os.fsencode("/".join(names.fit_folders(("ก" * 80,) * 300, 3000)))) < 3000


@pytest.mark.parametrize("where", ["archive", "failed"])
def test_a_recording_whose_path_is_too_long_below_its_next_folder_is_filed_there_all_the_same(tmp_path, where):
    """By a commit, or by the way of a failure: it can be opened by the path that its job knows from then on."""
    deep = tmp_path / ("x" * 200) / ("y" * 200) / ("z" * 200)
    deep.mkdir(parents=True)
    rel = "/".join((*("ก" * 80 + str(number) for number in range(15)), "talk.mp3"))
    (tmp_path / "inbox" / rel).parent.mkdir(parents=True)
    config, job, source = make(tmp_path, rel=rel)
    config = dataclasses.replace(config, paths=dataclasses.replace(config.paths, **{where: deep}))
    assert len(os.fsencode(str(source))) < names.PATH_LIMIT < len(os.fsencode(f"{deep}/{rel}"))
    if where == "archive":
        filed = commit(config, job)
        beside = filed.outputs
    else:
        filed = outbox.file_failure(job.evolve(error="no audio"), config, Places(config.paths))
        beside = (f"{filed.location}.error.json",)
    assert filed.kept_because is None
    assert Path(filed.location).is_relative_to(deep)
    assert Path(filed.location).read_bytes() == b"sound" * 1000
    assert all(map(os.path.exists, beside))
    assert not source.exists()


@given(st.sets(st.integers(1, 300)), st.integers(1, 20))
def test_a_free_number_is_free_and_is_the_first_behind_a_row_without_gaps(taken, start):
    found = names.first_free(taken.__contains__, start)
    assert found not in taken
    assert found >= start
    row = set(range(start, start + len(taken)))
    assert names.first_free(row.__contains__, start) == start + len(taken)


@given(st.text(min_size=1, max_size=300).filter(lambda name: "/" not in name and "\0" not in name), st.integers(1, 99))
def test_each_way_to_write_a_name_fits_and_is_known_again(name, number):
    for way in names.ways(name):
        made = names.numbered(way, number)
        assert len(os.fsencode(made)) <= 255 if len(os.fsencode(name)) <= 255 or way != name else True
        assert names.variants(way).fullmatch(made)
    assert not set(names.portable(name)) & set(REFUSED)


def test_the_twenty_thousandth_file_of_one_name_costs_a_few_looks(tmp_path, monkeypatch):
    """In the archive and among the results; no way goes by every number."""
    config, job, _ = make(tmp_path, rel="talk.mp3")
    for number in range(1, 20_001):
        (tmp_path / "archive" / names.numbered("talk.mp3", number)).touch()
        (tmp_path / "transcripts" / names.results("talk.mp3", "en", ["txt"], number)["txt"]).touch()
    looks = 0
    look = Folder.stat

    def counted(self, name):
        nonlocal looks
        looks += 1
        return look(self, name)

    monkeypatch.setattr(Folder, "stat", counted)
    filed = commit(config, job)
    assert filed.location == str(tmp_path / "archive/talk (20001).mp3")
    assert str(tmp_path / "transcripts/talk (20001).en.txt") in filed.outputs
    assert looks < 500


def test_a_name_that_is_taken_between_the_promise_and_its_keeping_moves_all_results_on(tmp_path):
    """Also over a kill behind the first result, and where a person takes the next one too."""
    config, job, _ = make(tmp_path)
    plan = stage(config, job)
    (tmp_path / "transcripts/sub").mkdir()
    (tmp_path / "transcripts/sub/talk.en.json").write_text("mine")
    (tmp_path / "transcripts/sub/talk (2).en.srt").write_text("mine")
    filed = keep(config, plan)
    assert {Path(path).name for path in filed.outputs} == {f"talk (3).en.{suffix}" for suffix in FORMATS}
    assert (tmp_path / "transcripts/sub/talk.en.json").read_text() == "mine"
