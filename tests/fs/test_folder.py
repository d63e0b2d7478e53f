"""A folder that is held open: what file systems refuse that others take."""

from __future__ import annotations

import errno
import os

import pytest

from sttd.fs.folder import Folder


def test_a_folder_of_a_file_system_that_cannot_sync_folders_counts_as_synced():
    """Shared folders of VirtualBox are such, as is /proc. EINVAL would be taken for a name that is refused."""
    with Folder.open("/proc/self") as folder:
        with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
            os.fsync(folder.handle)
        folder.sync()
