"""Which GPU a worker may see: several GPUs are shared out over the workers, each of which would take the first one otherwise."""

from __future__ import annotations

from collections.abc import Sequence


def gpu_for(number: int, names: Sequence[str]) -> str | None:
    """What CUDA_VISIBLE_DEVICES is to be for worker `number`; None: as it is.

    Args:
        number: of the worker, from 0; the lowest that is free.
        names: the GPUs that the daemon sees.
    """
    return names[number % len(names)] if len(names) > 1 else None
