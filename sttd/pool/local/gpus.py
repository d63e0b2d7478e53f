"""Which GPU a worker may see: with several of them the workers are shared out, as each would take the first."""

from __future__ import annotations

from pathlib import Path


def gpu_for(number: int, visible: str | None, count: int) -> str | None:
    """What CUDA_VISIBLE_DEVICES is to be for worker `number`; None: as it is.

    Args:
        number: of the worker, from 0; the lowest that is free.
        visible: the daemon's own CUDA_VISIBLE_DEVICES, where a person chose among the GPUs.
        count: GPUs in the machine.
    """
    names = [str(each) for each in range(count)] if visible is None else [each for each in visible.split(",") if each]
    return names[number % len(names)] if len(names) > 1 else None


def count_gpus(devices: Path = Path("/dev")) -> int:
    """How many NVIDIA GPUs there are."""
    return len(list(devices.glob("nvidia[0-9]*")))
