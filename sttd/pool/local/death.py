"""Why a worker is gone, told apart from what was ordered, its exit code, and the kernel's count of OOM kills."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from sttd.part import Cause


@dataclass(frozen=True, slots=True)
class Death:
    """How a process ended."""

    exitcode: int | None  # negative: the signal; None: it is still there, and does not even die of SIGKILL
    problem: str = ""  # what made us end it: foreign bytes in its pipe, say


def spoken(exitcode: int | None) -> str:
    """The exit code in words: `exit code 1`, `killed by SIGKILL`."""
    if exitcode is None:
        return "it hangs in the kernel and cannot be killed"
    if exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        return f"killed by {signal.Signals(-exitcode).name}"
    except ValueError:  # a real-time signal
        return f"killed by signal {-exitcode}"


def judge(death: Death, *, ordered: Cause | None, took: bool, loaded: bool, oom: bool) -> tuple[Cause, str]:
    """The cause, and a sentence for the log.

    Args:
        death: how the process ended.
        ordered: the cause of our own kill, if there was one.
        took: it had begun with the part.
        loaded: a model was in its memory.
        oom: the kernel has killed for lack of memory since the part began.
    """
    how = spoken(death.exitcode)
    if ordered is not None:
        return ordered, f"the worker was killed ({ordered}): {how}"
    if death.problem:
        return Cause.CRASH, f"the worker was killed because it sent {death.problem}"
    if death.exitcode == -signal.SIGKILL and oom:
        how = "killed by the kernel's OOM killer (SIGKILL)"
    if not took:
        # a broken installation, no memory to start in, or a death in idleness: not the recording's fault
        return Cause.MACHINE, f"the worker died before it could begin: {how}; see its messages above in the log"
    if not loaded:
        return Cause.NO_MODEL, f"the worker died while it loaded the model: {how}"
    if death.exitcode == -signal.SIGKILL and oom:
        return Cause.OOM, f"the worker was {how}"
    return Cause.CRASH, f"the worker died: {how}"


def oom_counter(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> Path | None:
    """The file whose `oom_kill` line counts the OOM kills in our own cgroup, or at worst on the host; None: no such.

    cgroup v2 has it in memory.events, v1 in memory.oom_control (Linux 4.13), the host in /proc/vmstat (Linux 4.13). In
    a container the path of /proc/self/cgroup may not exist below the mount, whose top is then our own cgroup.
    """
    candidates = [proc / "vmstat"]
    for line in reversed(_lines(proc / "self" / "cgroup")):
        _, controllers, path = line.split(":", 2)
        where = path.strip("/")
        if controllers == "":
            found = [base / part / "memory.events" for base in (cgroups, cgroups / "unified") for part in (where, "")]
        elif "memory" in controllers.split(","):
            found = [cgroups / "memory" / part / "memory.oom_control" for part in (where, "")]
        else:
            found = []
        candidates = found + candidates
    return next((each for each in candidates if _count(each) is not None), None)


def oom_kills(counter: Path | None) -> int:
    """How many OOM kills `counter` tells of; 0 where it cannot be read."""
    return (_count(counter) if counter is not None else None) or 0


def _count(path: Path) -> int | None:
    words = (line.split() for line in _lines(path))
    return next((int(line[1]) for line in words if len(line) == 2 and line[0] == "oom_kill"), None)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):  # not this kind of cgroup, or not ours to read
        return []
