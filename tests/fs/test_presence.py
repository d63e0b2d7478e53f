"""Whether a daemon runs is known to its group, which can neither pretend nor prevent it."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sttd.errors import AlreadyRunning
from sttd.fs.lock import Lock
from sttd.fs.presence import Presence, is_present
from tests.machine import needs_root
from tests.unprivileged import as_nobody

GROUP = 60  # games, on Debian


@pytest.fixture
def folder():
    """A folder that a group may enter and read, as the state folder is."""
    made = Path(tempfile.mkdtemp(prefix="sttd-test-"))
    if os.geteuid() == 0:
        os.chown(made, 0, GROUP)
    made.chmod(0o2750)
    yield made
    shutil.rmtree(made)


HOLDER = """
import sys
from pathlib import Path
from sttd.fs.presence import Presence
held = Presence(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_it_ends_with_its_process_however_that_dies(folder, tmp_path):
    """A copy of the folder, as of a backup, is no running daemon."""
    path = folder / "running"
    assert not is_present(path)
    command = [sys.executable, "-c", HOLDER, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert is_present(path)
        shutil.copytree(folder, tmp_path / "copy", copy_function=lambda a, b: os.mkfifo(b))
        assert not is_present(tmp_path / "copy" / "running")
        holder.kill()
    assert not is_present(path)


def test_whatever_else_has_its_name_is_nobody(folder):
    for make in (Path.touch, Path.mkdir, lambda path: path.symlink_to("/dev/null")):
        path = folder / f"{len(list(folder.iterdir()))}"
        make(path)
        assert not is_present(path)


@needs_root
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_people_of_the_group_see_it_and_cannot_pretend_it(folder, umask):
    before = os.umask(umask)
    try:
        held = Presence(folder / "running")
    finally:
        os.umask(before)
    see = lambda: print(is_present(folder / "running"))  # noqa: E731
    assert as_nobody(see, (GROUP,)).out == "True\n"
    assert "PermissionError" in as_nobody(see).err
    pretend = lambda: os.open(folder / "running", os.O_RDONLY | os.O_NONBLOCK)  # noqa: E731
    assert "PermissionError" in as_nobody(pretend, (GROUP,)).err
    held.release()
    assert as_nobody(see, (GROUP,)).out == "False\n"


@needs_root
@pytest.mark.parametrize("old", [None, 0o640, 0o666])
def test_nobody_but_its_holder_can_have_a_share_of_the_lock(folder, old):
    """`flock -s state/lock` prevented a start. The file of an older version becomes the daemon's alone too."""
    if old is not None:
        (folder / "lock").touch()
        os.chmod(folder / "lock", old)
    lock = Lock(folder / "lock", "the state folder")
    lock.release()
    assert stat.S_IMODE((folder / "lock").stat().st_mode) == 0o600

    def share():
        fcntl.flock(os.open(folder / "lock", os.O_RDONLY), fcntl.LOCK_SH)

    assert "PermissionError" in as_nobody(share, (GROUP,)).err
    first = Lock(folder / "lock", "the state folder")
    with pytest.raises(AlreadyRunning, match="stop it, or choose another folder"):
        Lock(folder / "lock", "the state folder")
    first.release()
