"""Users without rights: what they may do works, and for the rest they are told whom to ask."""

from __future__ import annotations

import grp
import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

import sttd.cli
import sttd.configfile
import sttd.ledger
from sttd.cli.app import main
from sttd.job import State
from sttd.ledger import SPOOL, Ask, Ledger, Request
from sttd.ledger.spool import Left, Spool, leave, make
from tests.cli.conftest import SOUND
from tests.machine import needs_root
from tests.unprivileged import NOBODY, Outcome, as_nobody, import_all

# a group that is there on every Linux, and that neither root's processes nor nobody's are in
OTHERS = "games"

pytestmark = needs_root

for package in (sttd.cli, sttd.configfile, sttd.ledger):  # nobody may not be able to read them
    import_all(package)


@pytest.fixture
def shared():
    """A root that every user can reach, with one failed job; pytest's own folder is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="sttd-test-"))
    folder.chmod(0o755)
    (folder / "state").mkdir()
    ledger = Ledger.open(folder / "state" / "ledger.db")
    ledger.update(ledger.add("a.mp3", SOUND, 1.0), state=State.FAILED)
    ledger.close()
    make(folder / "state" / SPOOL)
    yield folder
    shutil.rmtree(folder)


def run(root: Path, *words: str, groups: tuple[int, ...] = ()) -> Outcome:
    """A command as nobody, who is also in `groups`."""
    return as_nobody(lambda: main(["--root", str(root), *words]), groups)


def own(path: Path, mode: int) -> int:
    group = grp.getgrnam(OTHERS).gr_gid
    os.chown(path, 0, group)
    path.chmod(mode)
    return group


def test_a_reader_needs_no_right_to_write(shared):
    own(shared / "state", 0o755)
    own(shared / "state" / "ledger.db", 0o644)
    before = sorted((shared / "state").iterdir())
    done = run(shared, "jobs")
    assert done.code == 0, done.err
    assert "a.mp3" in done.out
    assert sorted((shared / "state").iterdir()) == before


@pytest.mark.parametrize(("folder", "file"), [(0o750, 0o640), (0o755, 0o640), (0o750, 0o644)])
@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["jobs"], ["show", "1"], ["retry", "1"]])
def test_who_may_not_read_is_told_which_group_may(shared, folder, file, command):
    """One line, exit code 1; as a member of the group it works."""
    own(shared / "state", folder)
    group = own(shared / "state" / "ledger.db", file)
    done = run(shared, *command)
    assert done.code == 1
    assert f"join the group {OTHERS} (sudo usermod -aG {OTHERS} nobody" in done.err
    assert done.err.count("\n") == 1
    if command[0] != "retry":
        member = run(shared, *command, groups=(group,))
        assert member.code == (3 if command[0] == "status" else 0), member.err  # it does not run


def test_who_may_not_write_is_told_to_be_the_owner(shared):
    """Reading is for the group, asking for the owner alone here: nothing is written before that is known."""
    own(shared / "state", 0o750)
    own(shared / "state" / SPOOL, 0o700)
    group = own(shared / "state" / "ledger.db", 0o640)
    done = run(shared, "retry", "1", groups=(group,))
    assert done.code == 1
    assert f"{shared}/state/requests may not be written by you: use sudo -u root sttd" in done.err


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_a_member_of_the_group_asks_and_can_neither_see_nor_take_what_others_asked(shared, umask):
    """Whatever the umask, the daemon can read it; the ledger stays as it is, and nobody else may write it."""
    own(shared / "state", 0o2750)
    own(shared / "state" / SPOOL, 0o3730)
    group = own(shared / "state" / "ledger.db", 0o640)
    theirs = leave(shared / "state" / SPOOL, Request(Ask.PAUSE))

    def ask():
        os.umask(umask)
        main(["--root", str(shared), "retry", "1"])

    done = as_nobody(ask, (group,))
    assert done.code == 0, done.err
    spool = Spool(shared / "state" / SPOOL)
    (first, second) = spool.names()
    assert first == theirs
    assert stat.S_IMODE((spool.folder / second).stat().st_mode) == 0o644
    assert spool.read(second) == Left(Request(Ask.RETRY, 1), NOBODY)
    harm = [lambda: os.listdir(spool.folder), lambda: os.unlink(spool.folder / theirs),
            lambda: os.open(shared / "state" / "ledger.db", os.O_WRONLY), lambda: os.mkdir(shared / "state" / "x")]  # fmt: skip
    for each in harm:
        assert "PermissionError" in as_nobody(each, (group,)).err


def test_who_is_no_member_is_told_to_become_one_before_asking(shared):
    own(shared / "state", 0o755)
    own(shared / "state" / "ledger.db", 0o644)
    own(shared / "state" / SPOOL, 0o3730)
    done = run(shared, "retry", "1")
    assert done.code == 1
    assert f"join the group {OTHERS}" in done.err


def test_a_folder_closed_to_all_others_is_its_owners(shared):
    own(shared / "state", 0o700)
    done = run(shared, "status")
    assert done.code == 1
    assert "may not be read by you: use sudo -u root sttd" in done.err
