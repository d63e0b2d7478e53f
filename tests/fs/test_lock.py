"""The lock of a folder: its holder's alone, and everybody who may enter the folder sees whether it is held."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from sttd.errors import AlreadyRunning
from sttd.fs.lock import Lock, is_held
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
from sttd.fs.lock import Lock
held = Lock(Path(sys.argv[1]), "the state folder")
print("held", flush=True)
sys.stdin.read()
"""


def test_it_ends_with_its_process_however_that_dies(folder, tmp_path):
    """A copy of the folder, as of a backup, is no running daemon."""
    path = folder / "lock"
    assert not is_held(path)
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        assert one.stdout.readline() == b"held\n"
        assert is_held(path)
        assert not is_held(path, one.pid, tmp_path / "no table")
        shutil.copytree(folder, tmp_path / "copy")
        assert not is_held(tmp_path / "copy" / "lock")
        with pytest.raises(AlreadyRunning, match="stop it, or choose another folder"):
            Lock(path, "the state folder")
        one.kill()
    assert not is_held(path)


def test_a_lock_is_known_by_its_process_where_devices_have_other_numbers(folder):
    """As on btrfs and overlayfs; who only waits for a lock, or has a share, does not hold it."""
    path, table = folder / "lock", folder / "locks"
    path.touch()
    number = path.stat().st_ino
    lines = {
        f"1: FLOCK  ADVISORY  WRITE 4711 00:99:{number} 0 EOF": True,
        f"1: -> FLOCK  ADVISORY  WRITE 4711 00:99:{number} 0 EOF": False,
        f"1: FLOCK  ADVISORY  READ 4711 00:99:{number} 0 EOF": False,
        f"1: FLOCK  ADVISORY  WRITE 4711 00:99:{number + 1} 0 EOF": False,
        f"1: FLOCK  ADVISORY  WRITE 4712 00:99:{number} 0 EOF": False,
    }
    for line, held in lines.items():
        table.write_text(f"{line}\n")
        assert is_held(path, 4711, table) is held, line
        assert not is_held(path, None, table)


def test_a_share_that_is_had_for_a_moment_does_not_prevent_a_start(tmp_path):
    """An `sttd status` of an older version has one, while the service is restarted by an update."""
    looking = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    gone = threading.Timer(0.05, os.close, [looking])
    gone.start()
    Lock(tmp_path / "lock", "the state folder").release()
    gone.join()


@needs_root
@pytest.mark.parametrize("umask", [0o000, 0o077])
@pytest.mark.parametrize("old", [None, 0o640, 0o666])
def test_nobody_but_its_holder_can_have_a_share_of_it(folder, umask, old):
    """`flock -s state/lock` prevented a start. People of the group see whether it is held, others may not know."""
    path = folder / "lock"
    if old is not None:
        path.touch()
        path.chmod(old)
    before = os.umask(umask)
    try:
        lock = Lock(path, "the state folder")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def share():
        fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_SH)

    def look():
        print(is_held(path))

    assert "PermissionError" in as_nobody(share, (GROUP,)).err
    assert as_nobody(look, (GROUP,)).out == "True\n"
    assert "PermissionError" in as_nobody(look).err
    lock.release()
    assert as_nobody(look, (GROUP,)).out == "False\n"


def test_a_held_lock_is_no_open_file_of_the_process(folder):
    """A process that ends closes its open files, and for one on a FUSE share that hangs the kernel waits, whatever the signal."""
    path = folder / "lock"
    held = Lock(path, "the state folder")
    assert path not in [Path(number.readlink()) for number in Path("/proc/self/fd").iterdir() if number.is_symlink()]
    assert is_held(path)
    with pytest.raises(AlreadyRunning):
        Lock(path, "the state folder")
    held.release()
    held.release()
    assert not is_held(path)
    Lock(path, "the state folder").release()
