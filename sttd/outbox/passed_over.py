"""How much sound was taken for no speech, over all windows of a recording, whichever attempt heard them.

A person should know where that is much, for it may be speech all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sttd.part import SAMPLE_RATE

FRAME = 512 / SAMPLE_RATE  # seconds; the speech detector's
_FLOOR = 0.1  # of the frames are quieter than what is called noise, at most
_ABOVE = 20  # dB above the noise from which on it is sound
_AUDIBLE = -70  # dB of full scale; nothing below is sound, whatever the noise
_LONG = 60.0  # seconds that are worth a warning


class PassedOver:
    """Counts the frames of a recording by their level in dB of full scale: those in all, and those in no span of speech."""

    def __init__(self) -> None:
        self._all: Counter[int] = Counter()
        self._skipped: Counter[int] = Counter()

    def add(self, levels: Iterable[tuple[int, int, int]]) -> None:
        """Those of a window; see `Chunk.levels`."""
        for level, frames, skipped in levels:
            self._all[level] += frames
            self._skipped[level] += skipped

    @property
    def seconds(self) -> float:
        """Of what was skipped, how much is well above the recording's noise."""
        first = max(self._noise() + _ABOVE, _AUDIBLE)
        return sum(frames for level, frames in self._skipped.items() if level >= first) * FRAME

    def _noise(self) -> int:
        """The level that a tenth of the frames does not pass."""
        quieter, wanted = 0, self._all.total() * _FLOOR
        for level in sorted(self._all):
            quieter += self._all[level]
            if quieter >= wanted:
                return level
        return _AUDIBLE


def warnings(seconds: float) -> tuple[str, ...]:
    """What to tell of `PassedOver.seconds`."""
    if seconds < _LONG:
        return ()
    length = f"{seconds:.0f} s of sound well above the noise"
    return (f"{length} were taken for no speech; if people talk there, set transcribe.vad = false",)
