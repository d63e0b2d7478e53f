"""Taking hold of the inbox folder, and following it through unmounting, mounting and replacing."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from sttd.errors import AlreadyRunning, NotConfigured
from sttd.host import sandbox
from sttd.inbox.lock import Claim, FolderIdentity
from sttd.inbox.place import Place, Standing
from sttd.own import LOCK
from tests.harness import PATIENCE
from tests.unprivileged import NOBODY, as_nobody


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


def test_a_share_that_is_unmounted_between_two_steps_of_a_look_gives_its_mark_to_no_other_folder(
    root, tmp_path, monkeypatch
):
    """The bare folder under it would count as the inbox, in which every file is gone."""
    place, share = Place(root), tmp_path / "unmounted"
    assert place.take() is None
    stat = Path.stat

    def then_unmounted(path, **how):
        seen = stat(path, **how)
        if path == root and not share.exists():
            root.rename(share)
            root.mkdir()
        return seen

    monkeypatch.setattr(Path, "stat", then_unmounted)
    place.look()
    monkeypatch.undo()
    assert share.exists()
    assert list(root.iterdir()) == []
    assert place.look() is Standing.STRANGE
    place.release()


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
    for _ in range(2):
        with pytest.raises(AlreadyRunning):
            Claim(root)
        with pytest.raises(NotConfigured):
            Claim(tmp_path / "none")
    assert len(os.listdir("/proc/self/fd")) == before
    held.release()


@pytest.fixture
def place(root):
    place = Place(root)
    assert place.take() is None
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
    assert not place.is_home()
    place.adopt()
    assert place.look() is Standing.HOME


def test_a_folder_that_is_deleted_can_never_come_back(place, root):
    shutil.rmtree(root)
    root.mkdir()
    assert place.look() is Standing.STRANGE
    assert place.is_replaced


@pytest.mark.parametrize("content", [None, b"", b"f" * 32 + b"\n"])
def test_a_mirror_that_removes_or_replaces_the_lock_file_changes_nothing(place, root, log, content):
    """The open handle says which folder it is: the mark is written again, and the lock is held on."""
    mark = place.mark
    for _ in range(2):
        (root / LOCK).unlink()
        if content is not None:
            (root / LOCK).write_bytes(content)
        assert place.is_home()
        assert place.look() is Standing.HOME
        assert (root / LOCK).read_text() == f"{mark}\n"
        assert not place.renewed
        with pytest.raises(AlreadyRunning):
            Claim(root)
    (line,) = log
    assert "exclude .sttd.lock from the mirror" in line


def test_a_lock_file_that_another_daemon_took_meanwhile_is_not_taken_from_it(place, root):
    (root / LOCK).unlink()
    other = Claim(root)
    assert place.look() is Standing.AWAY
    assert "another sttd" in place.reason
    other.release()
    assert place.look() is Standing.HOME


def known(root, mark="0" * 32, path=None, numbers=(0, 0)):
    return FolderIdentity(str(path or root), mark, *numbers)


def took(root, before, *, waiting=True):
    place = Place(root, before, waiting=waiting)
    assert place.take() is None
    standing = place.look()
    place.release()
    return standing


def test_the_folder_of_an_earlier_run_is_known_by_its_mark(root):
    assert took(root, known(root)) is Standing.STRANGE
    assert took(root, known(root, (root / LOCK).read_text().strip())) is Standing.HOME


def test_where_no_job_waits_any_folder_will_do(root):
    assert took(root, known(root), waiting=False) is Standing.HOME


def test_a_folder_under_another_path_is_a_new_inbox_though_jobs_wait_for_the_old_one(root, tmp_path):
    assert took(root, known(root, path=tmp_path / "old")) is Standing.HOME


def test_a_folder_whose_mark_was_removed_while_nobody_ran_is_known_by_its_numbers(root):
    seen = root.stat()
    assert took(root, known(root, numbers=(seen.st_dev, seen.st_ino))) is Standing.HOME
    assert (root / LOCK).read_text() == "0" * 32 + "\n"


def test_a_folder_with_a_mark_is_not_known_by_its_numbers(root):
    (root / LOCK).write_text("1" * 32 + "\n")
    seen = root.stat()
    assert took(root, known(root, numbers=(seen.st_dev, seen.st_ino))) is Standing.STRANGE


def test_a_missing_inbox_is_made_at_the_start_and_never_later(tmp_path):
    place = Place(tmp_path / "a" / "inbox")
    assert place.take() is None
    (tmp_path / "a" / "inbox").rename(tmp_path / "elsewhere")
    assert place.look() is Standing.AWAY
    assert not (tmp_path / "a" / "inbox").exists()
    place.release()


def test_an_inbox_that_cannot_be_made_is_a_mistake_in_the_configuration_unless_it_was_there_before(tmp_path):
    """A removable disk or an automounted folder that is not there yet: systemd tries exit code 6 never again."""
    (tmp_path / "file").touch()
    root = tmp_path / "file" / "inbox"
    assert isinstance(Place(root).take(), NotConfigured)
    place = Place(root, known(root))
    assert place.take() is None
    assert place.look() is Standing.AWAY
    (tmp_path / "file").unlink()
    root.mkdir(parents=True)
    assert place.look() is Standing.HOME
    place.release()


@pytest.mark.parametrize(
    "number", [errno.ENOTCONN, errno.EIO, errno.ESTALE, errno.ENXIO, errno.EHOSTDOWN, errno.ENOSPC]
)
@pytest.mark.parametrize("call", [0, os.O_PATH], ids=["any", "the hold"])
def test_a_dead_mount_at_the_start_is_waited_for(root, monkeypatch, number, call):
    """Whether it is met where the folder would be made, or where it is taken hold of."""
    real = os.open

    def dead(path, flags, *words, **more):
        if flags & call == call:
            raise OSError(number, os.strerror(number))
        return real(path, flags, *words, **more)

    monkeypatch.setattr(os, "open", dead)
    place = Place(root)
    assert place.take() is None
    assert place.look() is Standing.AWAY
    assert os.strerror(number) in place.reason
    monkeypatch.undo()
    assert place.look() is Standing.HOME
    place.release()


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("open", errno.EROFS),
        ("open", errno.EACCES),
        ("mkdir", errno.EROFS),
        ("hold", errno.EROFS),
        ("hold", errno.EACCES),
    ],
)
def test_an_inbox_that_the_unit_closes_is_told_with_the_drop_in_that_opens_it(root, monkeypatch, call, number):
    """Read-only for the service alone, or in a home that it does not see: where it is made, and where it is taken hold of."""
    real = getattr(os, call, os.open)

    def refuse(path, flags, *words, **more):
        if call != "hold" or flags & os.O_PATH:
            raise OSError(number, os.strerror(number))
        return real(path, flags, *words, **more)

    monkeypatch.setattr(sandbox, "closed", lambda path: f"the unit closes {path}: a drop-in opens it")
    wanted = root / "below" if call == "mkdir" else root
    with monkeypatch.context() as patch:
        patch.setattr(os, "open" if call == "hold" else call, refuse)
        refusal = Place(wanted).take()
    assert isinstance(refusal, NotConfigured)
    assert f"the unit closes {wanted}: a drop-in opens it" in str(refusal)
    assert "mount it" not in str(refusal)


def test_a_lock_file_larger_than_the_memory_costs_64_bytes(root):
    """Anybody who may write to the inbox can make one."""
    with (root / LOCK).open("wb") as file:
        file.truncate(2**42)
    claim = Claim(root)
    claim.release()
    assert (root / LOCK).stat().st_size == 33


def test_a_replaced_inbox_that_another_daemon_holds_is_away(place, root, tmp_path):
    root.rename(tmp_path / "elsewhere")
    root.mkdir()
    other = Claim(root)
    assert place.look() is Standing.AWAY
    assert "another sttd" in place.reason
    other.release()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to others")
def test_a_sticky_inbox_of_the_service_is_held_and_emptied():
    """Mode 3770: members cannot rename or delete each other's files, nor the lock; the service files all of them away."""

    def serve(inbox, archive):
        place = Place(inbox)
        assert place.take() is None
        assert place.look() is Standing.HOME
        (inbox / LOCK).unlink()
        assert place.look() is Standing.HOME
        (inbox / "a.mp3").rename(inbox / ".sttd-1.filing.a.mp3")
        (inbox / ".sttd-1.filing.a.mp3").rename(archive / "a.mp3")
        place.release()
        Claim(inbox).release()
        print("as it should be")

    with tempfile.TemporaryDirectory() as folder:  # not below pytest's own folder, which is root's alone
        root = Path(folder)
        root.chmod(0o755)
        for name, mode in (("inbox", 0o3770), ("archive", 0o2750)):
            (root / name).mkdir()
            os.chown(root / name, NOBODY, NOBODY)
            (root / name).chmod(mode)
        (root / "inbox" / "a.mp3").write_bytes(b"x")
        os.chown(root / "inbox" / "a.mp3", 4711, NOBODY)
        (root / "inbox" / "a.mp3").chmod(0o640)
        done = as_nobody(lambda: serve(root / "inbox", root / "archive"))
        assert done.out == "as it should be\n", done.err
