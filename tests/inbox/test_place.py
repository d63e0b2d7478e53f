"""Taking hold of the inbox folder, and following it through unmounting, mounting and replacing."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from sttd.errors import AlreadyRunning, NotConfigured
from sttd.inbox.lock import LOCK, Claim
from sttd.inbox.place import Place, Standing
from tests.harness import PATIENCE


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def _hold(root, ready, done):
    claim = Claim(Path(root))
    ready.set()
    done.wait(PATIENCE)
    claim.release()


def test_a_second_daemon_is_refused_with_a_clear_message(root):
    """Another process holds it: refused; that process ended: taken."""
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(root), ready, done))
    other.start()
    try:
        assert ready.wait(PATIENCE)
        with pytest.raises(AlreadyRunning, match="another sttd holds the inbox"):
            Claim(root)
    finally:
        other.kill()
        other.join()
    Claim(root).release()


def test_the_mark_stays_with_the_folder_and_differs_between_folders(root, tmp_path):
    (tmp_path / "other").mkdir()
    first, other = Claim(root), Claim(tmp_path / "other")
    assert first.mark != other.mark
    first.release()
    other.release()
    again = Claim(root)
    assert again.mark == first.mark
    again.release()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"zz" * 16, b"x" * 100_000])
def test_a_lock_file_without_a_mark_gets_one(root, content):
    (root / LOCK).write_bytes(content)
    claim = Claim(root)
    claim.release()
    assert (root / LOCK).read_text() == f"{claim.mark}\n"


def test_a_missing_inbox_says_what_to_do(tmp_path):
    with pytest.raises(NotConfigured, match=r"missing: create it, mount it, or set paths.inbox"):
        Claim(tmp_path / "none")


def test_an_inbox_that_is_a_file_says_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotConfigured, match="not a folder"):
        Claim(tmp_path / "file")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc/passwd"), os.mkdir])
def test_a_trap_in_the_place_of_the_lock_is_refused_and_not_waited_for(root, make):
    make(root / LOCK)
    with pytest.raises(NotConfigured, match=r"not a regular file: remove it"):
        Claim(root)


def test_a_refused_claim_leaves_nothing_open(root, tmp_path):
    held = Claim(root)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(AlreadyRunning):
            Claim(root)
        with pytest.raises(NotConfigured):
            Claim(tmp_path / "none")
    assert len(os.listdir("/proc/self/fd")) == before
    held.release()


@pytest.fixture
def place(root):
    place = Place(root, None)
    place.claim()
    yield place
    place.release()


def test_an_inbox_that_stays_is_home(place):
    assert place.look() is Standing.HOME
    assert place.is_home()
    assert not place.renewed
    assert place.reason is None


def test_an_inbox_that_is_missing_is_away_and_home_again_when_it_is_back(place, root, tmp_path):
    root.rename(tmp_path / "elsewhere")
    assert place.look() is Standing.AWAY
    assert "missing" in place.reason
    assert not place.is_home()
    (tmp_path / "elsewhere").rename(root)
    assert place.look() is Standing.HOME


def test_the_same_inbox_under_other_numbers_is_home_and_taken_hold_of_anew(place, root, tmp_path):
    """As a share has it that is mounted again: other inodes, the same mark."""
    root.rename(tmp_path / "elsewhere")
    shutil.copytree(tmp_path / "elsewhere", root)
    assert place.look() is Standing.HOME
    assert place.renewed
    with pytest.raises(AlreadyRunning):
        Claim(root)
    place.look()
    assert not place.renewed


def test_a_replaced_inbox_is_strange_until_it_is_adopted(place, root, tmp_path):
    root.rename(tmp_path / "elsewhere")
    root.mkdir()
    assert place.look() is Standing.STRANGE
    assert place.renewed
    assert "not the folder that it was" in place.reason
    place.adopt(used=False, missing=False)
    assert place.look() is Standing.STRANGE, "an empty folder may be a mount point"
    place.adopt(used=True, missing=True)
    assert place.look() is Standing.STRANGE, "known files are missing"
    place.adopt(used=True, missing=False)
    assert place.look() is Standing.HOME


def test_an_empty_folder_in_the_place_of_a_deleted_inbox_is_adopted(place, root):
    shutil.rmtree(root)
    root.mkdir()
    assert place.look() is Standing.STRANGE
    place.adopt(used=False, missing=False)
    assert place.look() is Standing.HOME


def test_an_inbox_emptied_of_everything_with_its_lock_is_strange(place, root):
    (root / LOCK).unlink()
    assert place.look() is Standing.STRANGE


def test_the_folder_of_an_earlier_run_is_known_by_its_mark(root, tmp_path):
    place = Place(root, "0" * 32)
    place.claim()
    assert place.look() is Standing.STRANGE
    place.release()
    place = Place(root, (root / LOCK).read_text().strip())
    place.claim()
    assert place.look() is Standing.HOME
    place.release()


def test_a_replaced_inbox_that_another_daemon_holds_is_away(place, root, tmp_path):
    root.rename(tmp_path / "elsewhere")
    root.mkdir()
    other = Claim(root)
    assert place.look() is Standing.AWAY
    assert "another sttd" in place.reason
    other.release()
