"""What the daemon may use of this machine: cores, memory and GPUs, within the limits of cgroups, affinity and environment."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sttd.host.cgroup import CGROUPS, PROC, groups

_FOR_A_WORKER = 2**32  # bytes; enough for the default model and its batch


@dataclass(frozen=True, slots=True)
class Capacity:
    cores: int  # at least 1
    memory: int  # bytes
    gpus: tuple[str, ...]  # as CUDA_VISIBLE_DEVICES names them

    def workers(self, device: str) -> int:
        """What `pool.workers = "auto"` means: one for each GPU; on a CPU one for each four cores and 4 GiB, at least one.

        Args:
            device: see `model.device`.
        """
        gpus = 0 if device == "cpu" else len(self.gpus)
        return gpus or max(1, min((self.cores + 3) // 4, self.memory // _FOR_A_WORKER))

    def cores_each(self, workers: int) -> int:
        """The cores shared out over the workers, at least one each; see `cores_over` for the rest."""
        return max(1, self.cores // max(1, workers))

    def cores_over(self, number: int, workers: int) -> int:
        """The extra cores of worker `number` (from 0): cores that are left over go to the first workers, one each."""
        return int(self.cores > workers and number < self.cores % workers)


@functools.cache
def capacity() -> Capacity:
    """The capacity of this process, as it was at the first call."""
    return Capacity(cores(), memory(), gpus())


def cores(proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """The cores that this process may run on, or its quota of CPU time in cores, rounded up, if that is less; at least 1."""
    return max(1, min([len(os.sched_getaffinity(0)), *(math.ceil(each) for each in _quotas(proc, cgroups))]))


def _quotas(proc: Path, cgroups: Path) -> Iterator[float]:
    """Cores' worth of time: cpu.max (version 2), cpu.cfs_quota_us (version 1)."""
    for group in groups("cpu", proc, cgroups):
        if group.version == 2:
            words = group.read("cpu.max").split()
        else:
            words = [group.read("cpu.cfs_quota_us").strip(), group.read("cpu.cfs_period_us").strip()]
        if len(words) == 2 and all(each.isdigit() for each in words) and int(words[1]):
            yield int(words[0]) / int(words[1])


def memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """Bytes: the least of the limits of our cgroup and those above it, and of what the machine has."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    names = {2: ("memory.max", "memory.high"), 1: ("memory.limit_in_bytes",)}
    limits = (group.number(name) for group in groups("memory", proc, cgroups) for name in names[group.version])
    return min([installed, *(each for each in limits if each is not None)])


def gpus(environ: Mapping[str, str] = os.environ, devices: Path = Path("/dev")) -> tuple[str, ...]:
    """The NVIDIA GPUs that CUDA would show us. As in CUDA, the first invalid entry of CUDA_VISIBLE_DEVICES ends the list."""
    count = len(list(devices.glob("nvidia[0-9]*")))
    chosen = environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None or not count:
        return tuple(str(each) for each in range(count))
    found: list[str] = []
    for name in (each.strip() for each in chosen.split(",")):
        if not name or (name.lstrip("-").isdigit() and not 0 <= int(name) < count):
            break
        found.append(name)
    return tuple(found)
