"""A real systemd with its journal, booted in namespaces over a throw-away copy of this machine's file system.

What happens inside is gone when it is closed. Its files are to be seen under `box.root`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import shutil
import signal
import site
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.harness import PATIENCE, wait_for
from tests.machine import no_mounts

LIBRARY = next(iter(site.getsitepackages()))  # of the Python that runs the tests
BOOT = Path(__file__).with_name("boot.sh")
CGROUPS = Path("/sys/fs/cgroup")
PROGRAMS = (
    "/lib/systemd/systemd",
    "unshare",
    "nsenter",
    "dbus-daemon",
    "systemctl",
    "journalctl",
    "setpriv",
    "pgrep",
    "useradd",
)
ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8")
PYTHON = "/usr/bin/python3"  # one that the service can read


@functools.cache
def why_not() -> str | None:
    """Why no systemd can be booted here; None: it can."""
    if os.geteuid() != 0:
        return "only root can boot a systemd"
    if reason := no_mounts():
        return reason
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"there is no {', no '.join(missing)}"
    done = subprocess.run(
        [PYTHON, "-c", "import sys, venv; print(*sys.version_info[:2])"], capture_output=True, text=True, check=False
    )
    if done.stdout.split() != [str(number) for number in sys.version_info[:2]]:
        return f"the service needs a {PYTHON} of this Python's version: {done.stdout or done.stderr}"
    if not os.access("/sys/fs/cgroup", os.R_OK) or not _hierarchies():
        return "no cgroups are mounted"
    return None


def _hierarchies() -> list[Path]:
    """Where cgroup file systems are mounted."""
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [Path(words[4]) for words in lines if words[words.index("-") + 1] in ("cgroup", "cgroup2")]


class Box:
    """One booted systemd. `run` and its kin are commands inside."""

    def __init__(self, layer: Path) -> None:
        name = f"sttd-box-{os.getpid()}"
        self._cgroups = [top / name for top in _hierarchies()]
        for cgroup in self._cgroups:
            _make_cgroup(cgroup)
        self._helpers: dict[str, subprocess.Popen[str]] = {}
        self._console = (layer.parent / "console").open("wb")
        layer.mkdir()
        enter = "".join(f"echo $$ >{shlex.quote(str(cgroup))}/cgroup.procs\n" for cgroup in self._cgroups)
        # whatever ends the tests ends the box
        spaces = "setpriv --pdeathsig=KILL unshare --kill-child --mount --pid --fork --uts --ipc --cgroup"
        self._outer = subprocess.Popen(
            ["/bin/bash", "-ec", f'{enter}exec {spaces} /bin/bash "$@"', "box", BOOT, layer, LIBRARY],
            stdin=subprocess.DEVNULL, stdout=self._console, stderr=self._console,
        )  # fmt: skip
        self.pid = wait_for(self._booting, f"systemd starts; {layer.parent}/console says why not")
        self.root = Path(f"/proc/{self.pid}/root")
        wait_for(
            lambda: self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded"), "it is up"
        )

    def _booting(self) -> int | None:
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/comm").read_text() == "systemd\n":
            return int(children[0])
        assert self._outer.poll() is None, "the box did not boot"
        return None

    def run(self, *words: str | Path, text: bool = True, **options) -> subprocess.CompletedProcess[str]:
        """A command as root; how it ended."""
        command = [
            "nsenter",
            "-t",
            str(self.pid),
            "-a",
            "env",
            "-i",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
        ]
        return subprocess.run(
            [*command, *map(str, words)],
            capture_output=True,
            text=text,
            timeout=PATIENCE,
            check=False,
            cwd="/",
            **options,
        )

    def _command(self, *words: str | Path) -> list[str]:
        return ["nsenter", "-t", str(self.pid), "-a", "env", "-i", *ENVIRONMENT, *map(str, words)]

    def opened(self, *words: str) -> subprocess.Popen[str]:
        """A command as root that goes on, to be read from."""
        # a group of its own, so that it can be killed with the nsenter that waits for it
        return subprocess.Popen(
            self._command(*words), stdout=subprocess.PIPE, text=True, errors="backslashreplace", start_new_session=True
        )

    def ask(self, script: str, line: str) -> str:
        """One line from a Python script inside that answers each line with one; it is started where it does not run."""
        if script not in self._helpers:
            self._helpers[script] = subprocess.Popen(
                self._command(PYTHON, "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        helper = self._helpers[script]
        assert helper.stdin is not None
        assert helper.stdout is not None
        helper.stdin.write(f"{line}\n")
        helper.stdin.flush()
        return helper.stdout.readline()

    def do(self, *words: str | Path) -> str:
        """A command as root that must do well; what it printed."""
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def as_user(self, user: str, *words: str) -> subprocess.CompletedProcess[str]:
        """A command with the user's rights and groups alone, as after a log-in."""
        return self.run("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *words)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.do("systemctl", "show", "--value", "--property", name, unit).rstrip("\n")

    def log(self, unit: str, *words: str) -> str:
        """What the unit's processes have said, without times."""
        return self.do("journalctl", "--unit", unit, "--output", "cat", "--no-pager", *words)

    def write(self, path: str, text: str) -> None:
        self.run("mkdir", "-p", str(Path(path).parent))
        (self.root / path.lstrip("/")).write_text(text, "utf-8")

    def path(self, path: str) -> Path:
        """A path inside, as it is seen from outside."""
        return self.root / path.lstrip("/")

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)  # with PID 1 all others of its namespace die
        for process in (*self._helpers.values(), self._outer):
            process.communicate(timeout=PATIENCE)
        self._console.close()
        for cgroup in self._cgroups:
            _remove_cgroup(cgroup)


def _make_cgroup(cgroup: Path) -> None:
    cgroup.mkdir(exist_ok=True)
    for name in ("cpuset.cpus", "cpuset.mems"):  # of version 1, which takes no process without them
        if (cgroup / name).exists() and (cgroup / "cgroup.clone_children").exists():
            (cgroup / name).write_text((cgroup.parent / name).read_text())


def _remove_cgroup(cgroup: Path) -> None:
    """Its processes are dead, but the kernel may need a moment to see them off."""

    def removed() -> bool:
        try:
            for folder, _, _ in os.walk(cgroup, topdown=False):
                os.rmdir(folder)
        except OSError:
            time.sleep(0.05)
        return not cgroup.exists()

    wait_for(removed, f"{cgroup} is empty")


@contextlib.contextmanager
def booted(folder: Path) -> Iterator[Box]:
    box = Box(folder / "layer")
    try:
        yield box
    finally:
        box.close()
