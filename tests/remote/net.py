"""Another machine, as far as that can be had here: a network and a mount namespace of its own, whose cable can be cut.

Servers in it listen on `ADDRESS`, which nobody outside can reach, so that no port of this machine is used. Folders can be
hidden in it, as they are on a machine that does not share them.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import no_mounts

ADDRESS = "10.77.0.1"  # not 127.0.0.1: where there is no other, getaddrinfo(3) finds not even that (AI_ADDRCONFIG)
_UP = f"ip link set lo up && ip addr add {ADDRESS}/32 dev lo && mount -t tmpfs none /run && mkdir /run/sshd && echo up && exec cat"


@functools.cache
def lacking(*programs: str) -> str | None:
    """What this machine lacks for tests with another one; None: nothing."""
    missing = [each for each in ("ip", "iptables", "nsenter", *programs) if shutil.which(each) is None]
    if missing:
        return f"{', '.join(missing)}: not installed"
    return no_mounts("--net")


class Net:
    """Made with `another_machine`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def inside(self, *, mounts: bool) -> list[str]:
        """The words before a command that let it run there; without `mounts` it sees our files, and their network."""
        return ["nsenter", f"--target={self._pid}", "--net", *(["--mount"] if mounts else [])]

    def run(self, *words: str) -> None:
        subprocess.run([*self.inside(mounts=True), *words], check=True)

    def hide(self, folder: Path, size: str = "") -> None:
        """There it is empty, and has room for `size`."""
        options = ["-o", f"size={size}"] if size else []
        self.run("mount", "-t", "tmpfs", *options, "none", str(folder))

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """No packet comes through, and nobody is told."""
        self.run("iptables", "-I", "INPUT", "-j", "DROP")
        try:
            yield
        finally:
            self.run("iptables", "-F", "INPUT")


@contextlib.contextmanager
def another_machine() -> Iterator[Net]:
    """It is gone with its last process, at the latest with ours."""
    words = ["unshare", "--net", "--mount", "sh", "-c", _UP]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            if holder.stdout.readline() != b"up\n":
                pytest.fail("no network namespace can be set up")
            yield Net(holder.pid)
        finally:
            _end_all(holder.pid)  # also what has left its parent, as slurmstepd does
            holder.stdin.close()


def _end_all(pid: int) -> None:
    """Kill all processes of the network namespace of `pid`, but for that one."""
    space = Path(f"/proc/{pid}/ns/net").readlink()
    if space == Path("/proc/self/ns/net").readlink():  # it was never set up
        return
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if (each / "ns" / "net").readlink() == space and int(each.name) != pid:
                os.kill(int(each.name), signal.SIGKILL)
