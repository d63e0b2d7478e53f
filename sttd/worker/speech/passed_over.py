"""How much sound was taken for no speech: a person should know where that is much, for it may be speech all the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sttd.part import SAMPLE_RATE
from sttd.worker.speech.cutting import FRAME
from sttd.worker.speech.vad import Array

_QUIETEST, _LOUDEST = -110, 30  # dB of full scale: the ends of the scale
_FLOOR = 10  # per cent of the frames that are quieter than what is called noise at most
_ABOVE = 20  # dB above the noise from which on it is sound
_AUDIBLE = -70  # dB of full scale; nothing below is sound, whatever the noise
_LONG = 60.0  # seconds that are worth a warning


class PassedOver:
    """Counts the frames of a recording by their level, in steps of 1 dB: those in all and those in no span of speech."""

    def __init__(self) -> None:
        self._all = np.zeros(_LOUDEST - _QUIETEST + 1, np.int64)
        self._skipped = np.zeros_like(self._all)

    def add(self, samples: Array, spans: Sequence[tuple[int, int]]) -> None:
        """A window's samples, and its spans of speech, counted from its beginning."""
        frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
        # differences of neighbours: rumble is no sound to be heard, and has small ones
        power = np.mean(np.diff(frames, axis=1) ** 2, axis=1, dtype=np.float64)
        levels = np.clip(np.round(10 * np.log10(power + 1e-12)), _QUIETEST, _LOUDEST).astype(np.int64) - _QUIETEST
        skipped = np.ones(len(frames), bool)
        for first, last in spans:
            skipped[first // FRAME : -(-last // FRAME)] = False
        self._all += np.bincount(levels[power > 0], minlength=len(self._all))  # a hole in the sound is no quiet room
        self._skipped += np.bincount(levels[skipped], minlength=len(self._all))

    @property
    def seconds(self) -> float:
        """Of what was skipped, how much is well above the recording's noise."""
        noise = int(np.searchsorted(np.cumsum(self._all), self._all.sum() * _FLOOR / 100))
        first = max(noise + _ABOVE, _AUDIBLE - _QUIETEST)
        return float(self._skipped[first:].sum()) * FRAME / SAMPLE_RATE

    @property
    def warnings(self) -> list[str]:
        if self.seconds < _LONG:
            return []
        length = f"{self.seconds:.0f} s of sound well above the noise"
        return [f"{length} were taken for no speech; if people talk there, set transcribe.vad = false"]
