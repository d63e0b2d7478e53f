"""A folder that is held open: what file systems refuse that others take."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from sttd.fs.folder import Folder
from tests.harness import PATIENCE


def test_a_folder_of_a_file_system_that_cannot_sync_folders_counts_as_synced():
    """Shared folders of VirtualBox are such, as is /proc. EINVAL would be taken for a name that is refused."""
    with Folder.open("/proc/self") as folder:
        with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
            os.fsync(folder.handle)
        folder.sync()


def test_a_file_that_becomes_a_fifo_between_the_look_and_the_opening_blocks_no_thread(tmp_path, monkeypatch):
    """What is open is asked what it is, and opening it waits for no writer."""
    (tmp_path / "regular").touch()
    os.mkfifo(tmp_path / "a.mp3")
    monkeypatch.setattr(Folder, "file", lambda *_: (tmp_path / "regular").stat())
    met = []

    def look() -> None:
        with Folder.open(tmp_path) as folder, pytest.raises(FileNotFoundError, match="no regular file") as error:
            folder.open_file("a.mp3")
        met.append(error.value.filename)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(PATIENCE / 10)
    assert met == [str(tmp_path / "a.mp3")]
