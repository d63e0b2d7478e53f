"""What the far side tells the head about its machine, and why it refuses what the head asks for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sttd import __version__
from sttd.host.capacity import Capacity, capacity
from sttd.pool.wire import PROTOCOL, Setup

# set where a scheduler has given each worker a share of the machine for itself
_SHARED_OUT = ("SLURM_JOB_ID", "KUBERNETES_SERVICE_HOST")


def facts(models: Sequence[str]) -> dict[str, Any]:
    """For Hello. `models`: names of those on this machine."""
    machine = capacity()
    return {
        "protocol": PROTOCOL,
        "version": __version__,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "gpus": list(machine.gpus),
        "memory": machine.memory,
        "cores": machine.cores,
        "models": list(models),
    }


def mismatch(setup: Setup, missing: Callable[[str], str]) -> str:
    """Why this side cannot do what the head wants, in a sentence with the remedy; "": it can."""
    host = socket.gethostname()
    if (setup.version, setup.protocol) != (__version__, PROTOCOL):
        return (
            f"sttd on {host} is version {__version__} (protocol {PROTOCOL}), and {setup.version} ({setup.protocol}) wants to"
            " use it: install the same version on both"
        )
    if setup.device == "cuda" and not capacity().gpus:
        return f"{host} shows no NVIDIA GPU to its worker: look at nvidia-smi there, or set device to cpu or auto"
    wanted = [name for name in (setup.model, setup.fallback) if name]
    lacking = [why for name in wanted if (why := missing(name))]
    if wanted and len(lacking) == len(wanted):
        return f"{host} has no model: {'; '.join(lacking)}"
    return ""


def threads(setup: Setup, machine: Capacity | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Threads of a model here: as configured, else the cores divided by the slots, unless a scheduler has divided them."""
    machine = machine or capacity()
    alone = any(name in environ for name in _SHARED_OUT)
    return setup.cpu_threads or machine.cores_each(1 if alone else setup.slots)
