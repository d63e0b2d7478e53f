"""Root pulls for the service: what comes belongs to the owner of the cache, who alone made it."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

import huggingface_hub
import pytest

from sttd.hub.owner import become_owner
from tests.forked import fork
from tests.hub.conftest import Machine
from tests.machine import needs_root
from tests.unprivileged import NOBODY, as_nobody

pytestmark = needs_root


def _readable(path: str) -> bool:
    return as_nobody(lambda: print(os.access(path, os.R_OK))).out == "True\n"


@pytest.fixture
def home():
    """A folder of nobody's that everybody can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="sttd-test-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder, "home")
        home.mkdir(mode=0o750)
        os.chown(home, NOBODY, NOBODY)
        yield home


def test_files_belong_to_the_owner_of_the_cache(machine, home):
    """Or it is said that this one could not use them, as he cannot read this Python."""
    owned = Machine(home, machine.environ | {"HF_HOME": str(home)})
    done = owned.sttd("pull", "base")
    if not all(_readable(file) for file in (os.__file__, huggingface_hub.__file__)):
        assert done.returncode == 6
        assert f"{owned.home} belongs to user nobody, who cannot read" in done.stderr
        assert not owned.hub.exists()
        return
    assert done.returncode == 0, done.stderr
    made = [owned.hub, *owned.hub.rglob("*")]
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in made} == {(NOBODY, NOBODY)}
    modes = {path.name: path.stat().st_mode for path in made}
    assert stat.S_IMODE(modes.pop("lock")) == 0o600  # who may read it could keep others from pulling
    assert all(mode & 0o040 and not mode & 0o022 for mode in modes.values())


def test_whoever_owns_the_cache_is_who_writes_and_nothing_more(home):
    """No right of root is left, and no group of it."""
    read, write = os.pipe()
    child = fork()
    if child == 0:
        try:
            become_owner(home / "hub", ["/etc/passwd"])
            os.write(write, f"{os.getresuid()} {os.getresgid()} {os.getgroups()}".encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    said = os.read(read, 1000).decode()
    os.close(read)
    assert said == f"{(NOBODY,) * 3} {(NOBODY,) * 3} [{NOBODY}]"


def test_a_cache_of_root_stays_roots(tmp_path):
    before = os.umask(0o077)
    try:
        become_owner(tmp_path / "hub", [sys.executable])
        assert os.geteuid() == 0
        assert os.umask(0o077) == 0o027
    finally:
        os.umask(before)
