"""Which file system holds a path."""

from __future__ import annotations

import os
import subprocess

import pytest

from sttd.fs.mounts import file_system, holding, listed, network_file_system, read

TABLE = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:40 / /srv rw shared:1 master:2 - nfs4 server:/srv rw
41 40 0:41 / /srv/local\\040disk rw - xfs /dev/vdb rw
42 27 0:42 / /mnt/auto rw - autofs systemd-1 rw
43 42 0:43 / /mnt/auto rw - cifs //server/share rw
44 27 0:44 / /home/me/cloud rw - fuse.sshfs me@host: rw
45 27 0:45 / /srv2 rw - btrfs /dev/vdc rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/etc", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/sttd/state", "nfs4"),
        ("/srv2/sttd", "btrfs"),
        ("/srv22", "ext4"),
        ("/srv/local disk/state", "xfs"),
        ("/srv/local", "nfs4"),
        ("/mnt/auto/x", "cifs"),
        ("/home/me/cloud/state", "fuse.sshfs"),
    ],
)
def test_the_longest_and_last_mount_above_a_path_is_its_own(path, kind):
    assert holding(path, listed(TABLE)).kind == kind


def test_lines_that_are_not_mounts_are_passed_over():
    assert listed("nonsense\n\n1 2 3 - \n" + TABLE) == listed(TABLE)
    assert holding("/x", listed("")) is None


def test_a_device_is_the_number_that_the_files_on_it_have(tmp_path):
    mount = holding(os.path.realpath(tmp_path), read())
    if mount is None:
        pytest.skip("the root of this process is no mount: a chroot")
    number = os.stat(mount.point).st_dev
    # btrfs numbers each of its volumes, and has one device
    assert mount.kind == "btrfs" or mount.device == f"{os.major(number)}:{os.minor(number)}"


def test_network_file_systems_are_named_and_local_ones_are_not(tmp_path):
    (tmp_path / "mountinfo").write_text(TABLE.replace("/srv ", f"{tmp_path} "))
    assert network_file_system(tmp_path / "not there yet", tmp_path / "mountinfo") == "nfs4"
    assert network_file_system(tmp_path.parent, tmp_path / "mountinfo") is None


def test_a_link_is_followed_to_where_the_bytes_lie(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "mountinfo").write_text(f"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / {tmp_path}/real rw - cifs x rw\n")
    assert network_file_system(tmp_path / "link" / "state", tmp_path / "mountinfo") == "cifs"


def test_this_machine_agrees_with_findmnt(tmp_path):
    """Also where neither knows, as in a chroot whose top is no mount."""
    for path in (tmp_path, "/proc", "/"):
        said = subprocess.run(["findmnt", "-no", "FSTYPE", "-T", path], capture_output=True, text=True, check=False)
        assert file_system(path) == (said.stdout.split() or [None])[-1]


def test_without_proc_nothing_is_refused(tmp_path):
    assert file_system(tmp_path, tmp_path / "none") is None
    assert read(tmp_path / "none") == ()
