"""A real OpenSSH server with a configuration, a port and keys of its own; never the machine's."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.harness import wait_for
from tests.remote.conftest import gone, tree
from tests.remote.net import ADDRESS, Net

_SERVER = """
ListenAddress {address}:2222
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
"""
_CLIENT = """
Host gpu1
HostName {address}
Port 2222
User root
IdentityFile {folder}/user
UserKnownHostsFile {folder}/known
GlobalKnownHostsFile none
BatchMode yes
"""


class Ssh:
    """Made with `server`."""

    def __init__(self, net: Net, folder: Path, pid: int) -> None:
        self.net = net
        self.pid = pid
        self._folder = folder

    def command(self, *words: str) -> list[str]:
        """What a [[pool.remote]] table would have."""
        client = [*self.net.inside(mounts=False), "ssh", "-F", f"{self._folder}/client", "gpu1"]
        return [*client, "env", f"PYTHONPATH={os.environ['PYTHONPATH']}", *words]

    def worker(self, *words: str) -> list[str]:
        return self.command(sys.executable, "-m", "sttd", "worker", *words)


@contextlib.contextmanager
def server(net: Net, folder: Path) -> Iterator[Ssh]:
    """Ended with all that it has started."""
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "known").write_text(f"[{ADDRESS}]:2222 {(folder / 'host.pub').read_text()}")
    (folder / "server").write_text(_SERVER.format(folder=folder, address=ADDRESS))
    (folder / "client").write_text(_CLIENT.format(folder=folder, address=ADDRESS))
    words = [*net.inside(mounts=True), "/usr/sbin/sshd", "-D", "-E", str(folder / "log"), "-f", str(folder / "server")]
    with subprocess.Popen(words) as process:
        try:
            wait_for(lambda: "listening" in _text(folder / "log"), "sshd listens")
            yield Ssh(net, folder, process.pid)
        finally:
            left = tree(process.pid)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            process.wait()
    wait_for(lambda: gone(left), "the server is gone")


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
