"""Which GPU a worker may see: with several of them the workers are shared out, as each would take the first."""

from __future__ import annotations

from collections.abc import Sequence


def gpu_for(number: int, names: Sequence[str]) -> str | None:
    """What CUDA_VISIBLE_DEVICES is to be for worker `number`; None: as it is.

    Args:
        number: of the worker, from 0; the lowest that is free.
        names: the GPUs that the daemon sees.
    """
    return names[number % len(names)] if len(names) > 1 else None
