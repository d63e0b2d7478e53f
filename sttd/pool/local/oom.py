"""How often the kernel has killed for lack of memory, as far as that can be read."""

from __future__ import annotations

from pathlib import Path

from sttd.host.cgroup import CGROUPS, PROC, groups, statistic


def oom_counter(proc: Path = PROC, cgroups: Path = CGROUPS) -> Path | None:
    """The file whose `oom_kill` line counts the OOM kills in our own cgroup, or at worst on the host; None: there is none.

    cgroup v2 has it in memory.events, v1 in memory.oom_control (Linux 4.13), the host in /proc/vmstat (Linux 4.13).
    """
    names = {2: "memory.events", 1: "memory.oom_control"}
    candidates = [group.folder / names[group.version] for group in groups("memory", proc, cgroups)]
    return next((each for each in [*candidates, proc / "vmstat"] if _count(each) is not None), None)


def oom_kills(counter: Path | None) -> int:
    """How many OOM kills are in `counter`; 0 where it cannot be read."""
    return (_count(counter) if counter is not None else None) or 0


def _count(path: Path) -> int | None:
    return statistic(path, "oom_kill")
