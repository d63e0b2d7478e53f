"""Why a file may not be read, in words for its owner."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from sttd.fs.folder import open_regular_below
from sttd.fs.rights import why_unreadable
from tests.unprivileged import NOBODY, as_nobody

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to others")


def why(path, groups=()):
    done = as_nobody(lambda: print(why_unreadable(str(path))), groups)
    assert done.code == 0, done.err
    return done.out.strip()


@pytest.fixture
def path():
    with tempfile.TemporaryDirectory() as folder:  # not below pytest's own folder, which is root's alone
        Path(folder).chmod(0o755)
        (Path(folder) / "a.mp3").write_bytes(b"x")
        yield Path(folder) / "a.mp3"


def test_a_file_of_another_group_needs_more_than_a_mode(path):
    path.chmod(0o640)
    said = why(path)
    assert "it belongs to root:root with mode 0640, and nobody may not read it" in said
    assert "chgrp nogroup and chmod g+r, or setfacl -m u:nobody:r" in said


def test_a_file_of_a_group_of_ours_needs_the_groups_right(path):
    os.chown(path, 0, 4711)
    path.chmod(0o600)
    assert why(path, (4711,)).endswith(": chmod g+r")


def test_a_file_of_our_own_needs_its_owners_right(path):
    os.chown(path, NOBODY, NOBODY)
    path.chmod(0o000)
    assert why(path).endswith(": chmod u+r")


def test_a_folder_that_may_not_be_entered_is_named(path):
    path.parent.chmod(0o700)
    said = why(path)
    assert f"may not enter the folder {path.parent}" in said
    assert "setfacl -m u:nobody:rX" in said


def test_a_folder_that_may_be_entered_but_not_opened_is_named(path):
    """The way from the inbox to a file is opened folder by folder: the file's own mode is not what is in the way."""
    path.parent.chmod(0o711)

    def opened():
        try:
            os.close(open_regular_below(str(path), str(path.parent)))
        except PermissionError:
            print(why_unreadable(str(path)))

    done = as_nobody(opened)
    assert done.code == 0, done.err
    assert f"nobody may not open the folder {path.parent}" in done.out
    assert "setfacl -m u:nobody:rX" in done.out
