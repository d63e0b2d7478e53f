"""Folders that the unit closes: the words say so, and the drop-in opens them."""

from __future__ import annotations

import pytest

from tests import speech


@pytest.mark.ci
def test_an_inbox_in_a_home_and_an_archive_elsewhere_are_opened_by_their_drop_ins(service):
    """The service sees nothing else of the homes; after an installation it is said that it must be restarted."""
    box = service.box
    box.do("mkdir", "-p", "/home/alice/recordings", "/opt/archive", "/home/alice/private")
    box.do("chown", "-R", "alice:sttd", "/home/alice/recordings")
    box.do("chmod", "2770", "/home/alice/recordings")
    box.do("chown", "sttd:sttd", "/opt/archive")
    service.configure({"paths": 'inbox = "/home/alice/recordings"\narchive = "/opt/archive"'})
    try:
        box.run("systemctl", "start", "sttd")
        assert "ProtectSystem=strict" in service.wait_log("--drop-in folder /opt/archive")
        box.do("sttd", "install", "--drop-in", "folder", "/opt/archive")
        box.run("systemctl", "restart", "sttd")
        assert "ProtectHome=" in service.wait_log("--drop-in folder /home/alice/recordings")
        told = box.do("sttd", "install", "--drop-in", "folder", "/home/alice/recordings")
        if service.show("ActiveState") == "active":
            assert "systemctl restart sttd" in told
        box.do("systemctl", "restart", "sttd")
        box.path("/home/alice/drop").write_bytes((speech.SAMPLES / "english.flac").read_bytes())
        done = box.as_user("alice", "cp", "/home/alice/drop", "/home/alice/recordings/talk.flac")
        assert done.returncode == 0, done.stderr
        service.wait_job("done")
        assert box.path("/opt/archive/talk.flac").exists()
        seen = box.do("nsenter", f"--target={service.pid}", "--mount", "ls", "/home/alice")
        assert seen.split() == ["recordings"]
        assert "systemctl restart sttd" in box.do("sttd", "install")
    finally:
        box.run("systemctl", "stop", "sttd")
        box.run("rm", "-rf", "/home/alice/recordings", "/home/alice/private", "/opt/archive")
