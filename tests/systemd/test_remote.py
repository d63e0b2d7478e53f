"""The unit has no network; the drop-in for workers on other machines lets it run ssh, with its own key."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Iterator

import pytest

from tests import speech
from tests.harness import wait_for
from tests.systemd.service import Service

SERVER = """
ListenAddress 127.0.0.1:{port}
HostKey /etc/ssh/test
AuthorizedKeysFile /etc/ssh/test.allowed
StrictModes no
UsePAM no
PidFile none
"""
CLIENT = "Host gpu1\nHostName 127.0.0.1\nPort {port}\nUser bob\nBatchMode yes\n"
TABLE = '\n[[pool.remote]]\nname = "gpu1"\ncommand = ["ssh", "gpu1", "/opt/sttd/bin/sttd", "worker"]\n'

needs_ssh = pytest.mark.skipif(shutil.which("/usr/sbin/sshd") is None, reason="openssh-server is not installed")


@contextlib.contextmanager
def other_machine(service: Service) -> Iterator[None]:
    """Where bob has an account; the service's user has a key for it."""
    box = service.box
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    box.do("usermod", "--password", "*", "bob")  # no password, which without PAM is not the same as locked
    home = f"{service.state}/.ssh"
    box.do(
        "sh",
        "-c",
        "mkdir -p /run/sshd /etc/ssh && rm -f /etc/ssh/test* && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/test",
    )
    box.do("install", "-d", "-o", "sttd", "-g", "sttd", "-m", "0700", home)
    done = box.as_user("sttd", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{home}/id_ed25519")
    assert done.returncode == 0, done.stderr
    box.do("cp", f"{home}/id_ed25519.pub", "/etc/ssh/test.allowed")
    box.write("/etc/ssh/test.conf", SERVER.format(port=port))
    box.write(f"{home}/config", CLIENT.format(port=port))
    box.write(f"{home}/known_hosts", f"[127.0.0.1]:{port} {box.path('/etc/ssh/test.pub').read_text()}")
    server = box.opened("/usr/sbin/sshd", "-D", "-f", "/etc/ssh/test.conf", "-E", "/etc/ssh/test.log")
    try:
        wait_for(lambda: "listening" in box.run("cat", "/etc/ssh/test.log").stdout, "sshd listens")
        yield
    finally:
        box.run("pkill", "--full", "/etc/ssh/test.conf")  # of the box alone, which has its own process ids
        server.communicate()


@pytest.mark.ci
@needs_ssh
def test_the_service_has_a_worker_over_ssh_by_its_drop_in_and_none_without(service):
    box = service.box
    text = box.path(service.config).read_text().replace("workers = 1\n", 'workers = 0\nwhen_unreachable = "wait"\n')
    box.write(service.config, text + TABLE)
    try:
        with other_machine(service):
            service.drop(speech.SAMPLES / "english.flac", "talk.flac")
            service.start()
            service.wait_log("gpu1 is away: ssh ended")
            told = box.do("sttd", "install", "--drop-in", "remote")
            assert "sttd.service has a network from its next start on" in told
            box.do("systemctl", "restart", "sttd")
            service.wait_job("done")
            assert service.text("talk.en.txt").startswith("hello world")
            service.stop()
            assert box.run("pgrep", "--full", "sttd worker").stdout == ""
    finally:
        box.run("rm", "-f", "/etc/systemd/system/sttd.service.d/remote.conf")
        box.run("systemctl", "daemon-reload")
