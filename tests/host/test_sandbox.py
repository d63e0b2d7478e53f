"""Why a service cannot write: its unit, or the machine."""

from __future__ import annotations

import pytest

from sttd.host import sandbox

# of a service with ProtectSystem=strict and ProtectHome=yes; /srv/disk is mounted read-only by the administrator
TABLE = """
100 1 8:1 / / ro,relatime - ext4 /dev/sda1 rw
101 100 8:1 /srv/sttd /srv/sttd rw,relatime - ext4 /dev/sda1 rw
102 100 0:25 /systemd/inaccessible/dir /home ro,nosuid - tmpfs tmpfs rw,size=10%
103 100 8:2 / /srv/disk ro,relatime - ext4 /dev/sdb1 ro
104 100 0:30 / /mnt/my\\040share ro - nfs4 host:/x rw
105 100 0:31 / /run rw - tmpfs tmpfs rw
""".replace("\\\\", "\\")


@pytest.mark.parametrize(
    ("path", "setting"),
    [
        ("/srv/other/inbox", "ProtectSystem=strict"),
        ("/mnt/my share/inbox", "ProtectSystem=strict"),
        ("/home/alice/recordings", "ProtectHome="),
        ("/srv/sttd/inbox", None),
        ("/srv/sttd-other", "ProtectSystem=strict"),
        ("/srv/disk/inbox", None),
        ("/run/x", None),
    ],
)
def test_it_is_told_from_the_mounts_that_the_service_sees(tmp_path, path, setting):
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    found = sandbox.closed(path, {"INVOCATION_ID": "x"}, table)
    assert (found is None) is (setting is None)
    if setting is not None:
        assert setting in found
        assert f"sttd install --drop-in folder {path}" in found
    assert sandbox.closed(path, {}, table) is None
