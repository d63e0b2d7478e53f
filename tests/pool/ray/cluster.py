"""A Ray cluster of two machines, as far as that can be had here: nodes in network and PID namespaces of their own, with a cable between.

Nothing of it is ended by its name: a node ends with the first process of its PID namespace, as a machine does that loses its power.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from sttd.install import share
from sttd.pool.ray.link import DRIVER
from tests.harness import wait_for
from tests.machine import no_mounts

HEAD, NODE = "10.78.0.1", "10.78.0.2"
PORT = 6379
ADDRESS = f"{HEAD}:{PORT}"
PROJECT = Path(__file__).resolve().parents[3]
_SPACES = ["unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
# no workers are started before they are wanted
_TRIES = 5
_PATIENCE = 60.0  # seconds: on a busy machine a part of Ray gives up after 15, and leaves the others hanging
_QUICK = {"RAY_enable_worker_prestart": "0", "RAY_prestart_worker_first_driver": "0", "HF_HUB_OFFLINE": "1"}


@functools.cache
def lacking() -> str | None:
    """What this machine lacks for tests with Ray; None: nothing."""
    if importlib.util.find_spec("ray") is None:
        return "Ray is not installed: pip install 'sttd[ray]'"
    missing = [each for each in ("ip", "nsenter") if shutil.which(each) is None]
    return f"{', '.join(missing)}: not installed" if missing else no_mounts("--net", "--pid", "--fork")


@dataclass(eq=False)
class Machine:
    """One of the two. `pid` is that of its first process, which ends all others with it."""

    holder: subprocess.Popen[bytes]
    pid: int
    ray: list[subprocess.Popen[bytes]] = field(default_factory=list)
    known: dict[int, int] = field(default_factory=dict)  # processes, by their numbers there

    @property
    def net(self) -> list[str]:
        """The words before a command that let it see this network, and our processes and files."""
        return ["nsenter", f"--target={self.pid}", "--net"]

    def set_up(self, *commands: str) -> None:
        """Commands of ip(8)."""
        for each in commands:
            subprocess.run([*self.net, "ip", *each.split()], check=True)

    def start(self, words: Sequence[str], environ: dict[str, str], log: Path) -> None:
        inside = ["nsenter", f"--target={self.pid}", "--net", "--pid", "--mount"]
        with log.open("wb") as file:
            self.ray.append(
                subprocess.Popen(
                    [*inside, sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *words],
                    env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd="/",
                )
            )  # fmt: skip

    def processes(self) -> list[int]:
        """All that run on it, but for the first, as they are numbered outside."""
        space = _space(self.pid)
        found = [int(each.name) for each in Path("/proc").glob("[0-9]*") if _space(int(each.name)) == space]
        return [pid for pid in found if pid != self.pid]

    def outer(self, pid: int) -> int:
        """The number here of the process that is called `pid` there; 0: there is none."""
        if pid not in self.known:  # to look at all takes long
            self.known.update({_inner(each): each for each in self.processes()})
        found = self.known.get(pid, 0)
        is_it = _space(found) == _space(self.pid) and _inner(found) == pid  # and no later one with its number here
        return found if is_it and lives(found) else 0

    def signal(self, number: int) -> None:
        """Let all of its processes have a signal."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """It loses its power."""
        os.kill(self.pid, signal.SIGKILL)
        for each in self.ray:
            each.wait()
        self.holder.wait()

    def close(self) -> None:
        if self.holder.poll() is None:
            self.kill()
        self.holder.stdin.close()
        self.holder.stdout.close()


def lives(pid: int) -> bool:
    """A zombie does not: reaping it is its parent's affair."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _space(pid: int) -> str:
    """The PID namespace of a process; "" for one that is gone."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def _inner(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(next(line for line in text.splitlines() if line.startswith("NSpid:")).split()[-1])


def _machine() -> Machine:
    words = [*_SPACES, "sh", "-c", "trap '' CHLD; ip link set lo up && echo up && exec cat"]  # it has no zombies
    holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert holder.stdout.readline() == b"up\n", "no namespaces"
    children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
    return Machine(holder, int(children[0]))


def unit(name: str, given: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The words of a unit's ExecStart=, and its Environment=. `given`: what stands there, and what is meant here."""
    text = share.text(name).replace("\\\n", "")
    for written, meant in given.items():
        text = text.replace(written, meant)
    values = [line.partition("=") for line in text.splitlines() if "=" in line and line[0] not in "#;"]
    environ = [word for key, _, value in values if key == "Environment" for word in value.split()]
    (command,) = [value for key, _, value in values if key == "ExecStart"]
    return command.split(), dict(word.split("=", 1) for word in environ)


class Cluster:
    """Made with `cluster`. `head` has its machine from the start, `node` once it is joined."""

    node: Machine

    def __init__(self, folder: Path, cpus: int, gpus: int) -> None:
        self.folder, self.cpus, self.gpus = folder, cpus, gpus
        self.machines: list[Machine] = []
        self.head = self._another()
        self.token = folder / "token"
        self.token.write_text("a-token-of-the-tests-0123456789")
        self.token.chmod(0o600)
        self._environ = {
            **_QUICK, "RAY_AUTH_TOKEN_PATH": str(self.token), "PYTHONPATH": str(PROJECT), "PYTHONSAFEPATH": ""
        }  # fmt: skip

    def _another(self) -> Machine:
        self.machines.append(_machine())
        return self.machines[-1]

    @property
    def driver(self) -> list[str]:
        """A driver on the head's machine."""
        return [*self.head.net, *DRIVER]

    def start_head(self) -> None:
        self._start(self.head, "head", HEAD)

    def join(self) -> None:
        """A second machine, with a node."""
        self.node = self._another()
        link = ["ip", "link", "add", "cable", "netns", str(self.head.pid), "type", "veth"]
        subprocess.run([*link, "peer", "name", "cable", "netns", str(self.node.pid)], check=True)
        self.node.set_up(f"addr add {NODE}/32 dev lo")
        for machine, here, there in ((self.head, HEAD, NODE), (self.node, NODE, HEAD)):
            machine.set_up("link set cable up", f"route add {there} dev cable src {here}")
        self._start(self.node, "node", NODE)

    def _start(self, machine: Machine, name: str, address: str) -> None:
        """With the words and the environment of the unit that is shipped."""
        log = self.folder / f"{name}.log"
        given = {"/run/sttd-ray": str(self.folder), "${RAY_HEAD}": ADDRESS, " $RAY_ARGS": ""}
        words, environ = unit(f"sttd-ray-{name}.service", given)
        assert words[:3] == ["/opt/sttd/bin/ray", "start", "--block"]
        words += [f"--node-ip-address={address}", f"--num-cpus={self.cpus}", f"--num-gpus={self.gpus}"]
        for _ in range(_TRIES):
            machine.start(words[3:], {**os.environ, **environ, **self._environ}, log)
            with contextlib.suppress(AssertionError):
                wait_for(lambda: "Ray runtime started" in log.read_text(), f"{name} of Ray is up", _PATIENCE)
                return
            machine.signal(signal.SIGKILL)
        raise AssertionError(log.read_text())


@contextlib.contextmanager
def cluster(cpus: int = 8, gpus: int = 0) -> Iterator[Cluster]:
    """A head that is a node too, with so many cores and GPUs. All of it ends with the block. Skips where it cannot be had."""
    if lacking():
        pytest.skip(lacking())
    folder = Path(tempfile.mkdtemp(prefix="sttd-ray-", dir="/var/tmp"))  # the sockets' names must be short
    made = Cluster(folder, cpus, gpus)
    try:
        made.head.set_up(
            f"addr add {HEAD}/32 dev lo"
        )  # the cable goes with the other machine: the address is not on it
        made.start_head()
        yield made
    finally:
        for each in made.machines:
            each.close()
        shutil.rmtree(folder, ignore_errors=True)
