"""How much of a window was taken for no speech, by level. A person is warned if much of that is sound (outbox/passed_over.py)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sttd.worker.speech.cutting import FRAME
from sttd.worker.speech.vad import Array

_QUIETEST, _LOUDEST = -110, 30  # dB of full scale: the ends of the scale


def levels(samples: Array, spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int, int], ...]:
    """A window's frames, counted by level: the level in dB, the frames that have it, and how many of these are in no span.

    Args:
        samples: of the window.
        spans: of speech, in samples from the window's beginning.
    """
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    # differences of neighbouring samples: for rumble, which must not count as sound, they are small
    power = np.mean(np.diff(frames, axis=1) ** 2, axis=1, dtype=np.float64)
    found = np.clip(np.round(10 * np.log10(power + 1e-12)), _QUIETEST, _LOUDEST).astype(np.int64) - _QUIETEST
    skipped = np.ones(len(frames), bool)
    for first, last in spans:
        skipped[first // FRAME : -(-last // FRAME)] = False
    is_sound = power > 0  # digital silence must not count as the noise of a quiet room
    each = np.bincount(found[is_sound], minlength=_LOUDEST - _QUIETEST + 1)
    left_out = np.bincount(found[is_sound & skipped], minlength=len(each))
    return tuple((int(at) + _QUIETEST, int(each[at]), int(left_out[at])) for at in np.flatnonzero(each))
