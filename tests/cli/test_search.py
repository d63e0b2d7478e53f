"""`sttd search`: what is found, by which index, and what is printed."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest

import sttd.cli
from sttd.cli.app import main
from sttd.hub import cache as hub
from sttd.search import INDEX, Follower, lock_of
from tests.harness import wait_for
from tests.machine import needs_root
from tests.unprivileged import NOBODY, as_nobody, import_all
from tests.web.shelf import SECONDS, Shelf, segment

GROUP = 4242  # nobody is in it
NEXT_YEAR = "we cut the budget of next year"
THAI = "วันนี้เรามาประชุมเรื่องงบประมาณปีหน้ากัน"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """The person's cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "sttd"


@pytest.fixture
def shelf(root):
    made = Shelf(root)
    made.finish("talks/english.flac", [segment(0, 1.5, "hello world"), segment(1.5, SECONDS, NEXT_YEAR)])
    made.finish(
        "ประชุม/2026/ก.flac", [segment(0, 2, THAI, "th", words=False), segment(2, 3, "budget", "en", words=False)]
    )
    made.finish("budget plan.flac", [])
    yield made
    made.ledger.close()


def numbers(done) -> list[int]:
    assert done.code == 0, done.err
    return [int(line.split()[0]) for line in done.out.splitlines()]


def test_a_line_has_job_times_name_and_what_was_said(sttd, shelf):
    """The newest first. What is in the name alone has no times."""
    done = sttd("search", "budget")
    assert done.out.splitlines() == [
        "     3  -                  budget plan.flac\t",
        "     2  0:02-0:03          ประชุม/2026/ก.flac\tbudget",
        f"     1  0:01-0:03          talks/english.flac\t{NEXT_YEAR}",
    ]
    assert done.err == ""
    nothing = sttd("search", "elephant")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "nothing was found\n")


def test_thai_is_found_in_the_middle_and_words_at_their_beginning(sttd, shelf):
    assert numbers(sttd("search", "งบ")) == [2]
    assert numbers(sttd("search", "ประชุมเรื่อง", "ปีหน้า")) == [2]
    assert numbers(sttd("search", "hel")) == [1]


def test_words_may_stand_apart_and_an_argument_with_spaces_is_a_phrase(sttd, shelf):
    assert numbers(sttd("search", "year", "budget")) == [1]
    assert numbers(sttd("search", "next year")) == [1]
    assert numbers(sttd("search", "year next")) == []
    assert numbers(sttd("search", '"next year" hello')) == [1]


def test_filters_leave_out_what_they_say(sttd, shelf):
    shelf.ledger._db.execute("UPDATE jobs SET created_at = 1000000000 WHERE id = 1")  # 2001-09-09 01:46:40 UTC
    assert numbers(sttd("search", "budget", "--folder", "ประชุม")) == [2]
    assert numbers(sttd("search", "budget", "--folder", "talks/")) == [1]
    assert numbers(sttd("search", "budget", "--language", "Thai")) == [2]
    assert numbers(sttd("search", "budget", "--language", "en")) == [2, 1]
    assert numbers(sttd("search", "budget", "--since", "2h")) == [3, 2]
    assert numbers(sttd("search", "budget", "--until", "2001-09-10")) == [1]
    assert numbers(sttd("search", "budget", "--until", "2001-09-07")) == []
    assert numbers(sttd("search", "budget", "--limit", "1")) == [3]
    assert numbers(sttd("search", "budget", "--before", "3")) == [2, 1]
    wrong = sttd("search", "budget", "--language", "thay")
    assert (wrong.code, "did you mean th?" in wrong.err) == (2, True)


def test_a_day_counts_to_its_end(sttd, shelf):
    assert numbers(sttd("search", "budget", "--since", "today", "--until", "today")) == [3, 2, 1]
    assert numbers(sttd("search", "budget", "--until", "yesterday")) == []


def test_all_places_in_one_recording(sttd, shelf):
    done = sttd("search", "--job", "1", "hello", "year")
    assert [line.split("\t")[1] for line in done.out.splitlines()] == ["hello world", NEXT_YEAR]
    assert sttd("search", "--job", "9", "hello").code == 2
    assert sttd("search", "--job", "1", "--folder", "talks", "hello").code == 2


def test_programs_get_times_and_marks(sttd, shelf):
    found = json.loads(sttd("search", "--json", "budget").out)
    assert [each["job"] for each in found] == [3, 2, 1]
    assert (found[0]["start"], found[0]["text"], found[0]["marks"]) == (None, "", [])
    last = found[2]
    assert (last["source"], last["start"], last["end"], last["language"]) == ("talks/english.flac", 1.5, SECONDS, "en")
    assert [last["text"][start:end] for start, end in last["marks"]] == ["budget"]
    assert json.loads(sttd("search", "--json", "elephant").out) == []


def test_each_search_has_what_has_happened_since_the_last_one(sttd, shelf, cache):
    """Jobs that ended; also a result that a person has changed, once the latest look at all results is old."""
    assert numbers(sttd("search", "elephant")) == []
    new = shelf.finish("new.flac", [segment(0, 1, "an elephant")])
    assert numbers(sttd("search", "elephant")) == [new.id]
    result = next(each for each in new.outputs if each.endswith(".json"))
    with open(result, "r+b") as file:
        text = file.read().replace(b"elephant", b"crocodile")
        file.seek(0)
        file.truncate()
        file.write(text)
    (index,) = cache.glob(f"*{INDEX}")
    with contextlib.closing(sqlite3.connect(index)) as db, db:
        db.execute("UPDATE checks SET ended_at = ended_at - 3600")
    assert numbers(sttd("search", "crocodile")) == [new.id]
    assert numbers(sttd("search", "elephant")) == []
    with open(result, "r+b") as file:
        file.truncate(0)
    assert numbers(sttd("search", "crocodile")) == [new.id]  # not every result is looked at each time


def test_the_index_is_the_persons_alone(sttd, shelf, cache):
    sttd("search", "budget")
    assert [each.stat().st_mode & 0o777 for each in (cache, *cache.iterdir())] == [0o700, 0o600, 0o600]


def test_an_index_that_nobody_has_searched_for_months_is_removed(sttd, shelf, cache):
    """The text of recordings does not lie about where the ledger is gone."""
    sttd("search", "budget")
    (index,) = cache.glob(f"*{INDEX}")
    other = index.with_name(f"0123-{INDEX}")
    for path in (other, lock_of(other)):
        path.write_bytes(b"")
        os.utime(path, (1e9, 1e9))
    sttd("search", "budget")
    assert sorted(cache.glob(f"*{INDEX}")) == [index]


def test_the_pages_index_is_read_where_it_is_followed(sttd, shelf, cache, root):
    """No second index is made. What the web process has not read yet is said."""
    (root / "state-web").mkdir()
    follower, stop = Follower(root / "state-web" / INDEX, root / "state" / "ledger.db", [root]), threading.Event()
    thread = threading.Thread(target=follower.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: follower.coverage.searchable == 3, "all are read")
        assert numbers(sttd("search", "budget")) == [3, 2, 1]
        stop.set()
        thread.join()
        shelf.finish("new.flac", [segment(0, 1, "an elephant")])
        behind = sttd("search", "budget")
    finally:
        stop.set()
        thread.join()
        follower.close()
    assert behind.err == "sttd: 1 of the newest transcripts are still to be read by sttd web\n"
    assert numbers(sttd("search", "elephant")) == [
        4
    ]  # the web process has ended: the same index is followed by the search
    assert not cache.exists()


@pytest.fixture
def shared():
    """A root of a group, which every user can reach; pytest's own folder is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="sttd-test-"))
    made = Shelf(folder / "root")
    made.finish("a.flac", [segment(0, 1, "budget")])
    made.ledger.close()
    (folder / "root" / "state-web").mkdir()
    (folder / "home").mkdir()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 0, GROUP)
        path.chmod(0o750 if path.is_dir() else 0o640)
    (folder / "root" / "state-web").chmod(0o700)
    os.chown(folder / "home", NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


@needs_root
def test_a_member_of_the_group_has_an_index_of_his_own(shared, monkeypatch):
    """The page's folder is closed to him. He reads results and ledger by his group."""
    import_all(sttd.cli)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared / "home"))
    done = as_nobody(lambda: main(["--root", str(shared / "root"), "search", "budget"]), (GROUP,))
    assert (done.code, done.out) == (0, "     1  0:00-0:01          a.flac\tbudget\n"), done.err
    (index,) = (shared / "home" / "sttd").glob(f"*{INDEX}")
    assert index.stat().st_uid == NOBODY
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared / "root"))
    refused = as_nobody(lambda: main(["--root", str(shared / "root"), "search", "budget"]), (GROUP,))
    assert (refused.code, refused.out) == (1, "")
    assert "name a folder of yours with XDG_CACHE_HOME" in refused.err


def test_without_a_ledger_it_says_what_to_do(sttd, tmp_path):
    for path in (tmp_path / "state").iterdir():
        path.unlink()
    done = sttd("search", "budget")
    assert (done.code, "start the daemon" in done.err) == (1, True)


def test_a_user_without_a_home_is_told_where_the_index_may_lie(sttd, shelf, monkeypatch):
    """As in a container whose user has no name: it ended with a traceback."""

    def nobody(_number):
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    refused = sttd("search", "budget")
    assert (refused.code, refused.out) == (1, "")
    assert "name a folder of yours with XDG_CACHE_HOME" in refused.err
    assert str(hub.cache({})).startswith("~/.cache"), "nor does the daemon end when it looks where models are"
