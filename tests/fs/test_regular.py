"""Opening what anybody may have put there."""

from __future__ import annotations

import os
import socket

import pytest

from sttd.fs.regular import NotRegular, open_regular


def test_a_regular_file_is_opened_for_reading_and_closed_in_children(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    handle = open_regular(str(tmp_path / "a"))
    try:
        assert os.read(handle, 9) == b"x"
        assert not os.get_inheritable(handle)
    finally:
        os.close(handle)


def _socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd"), _socket, lambda path: path.symlink_to("no")],
)
def test_whatever_else_is_there_is_refused_at_once_and_nothing_stays_open(tmp_path, make):
    make(tmp_path / "a")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(NotRegular, match="not a regular file"):
        open_regular(str(tmp_path / "a"))
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_missing_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_regular(str(tmp_path / "a"))
