"""How much sound was judged to be no speech, summed over all windows of a recording and all attempts.

If it is much, a person is warned, as it may be speech all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sttd.part import SAMPLE_RATE

FRAME = 512 / SAMPLE_RATE  # seconds; a frame of the speech detector
_FLOOR = 0.1  # the noise is the level that this share of the frames does not exceed
_ABOVE = 20  # dB; a frame that is this much above the noise counts as sound
_AUDIBLE = -70  # dBFS; a frame below this is never sound, whatever the noise
_LONG = 60.0  # seconds of sound from which on there is a warning


class PassedOver:
    """Counts the frames of a recording by their level in dBFS: all of them, and those outside of speech."""

    def __init__(self) -> None:
        self._all: Counter[int] = Counter()
        self._skipped: Counter[int] = Counter()

    def add(self, levels: Iterable[tuple[int, int, int]]) -> None:
        """Add the frames of a window; see `Chunk.levels`."""
        for level, frames, skipped in levels:
            self._all[level] += frames
            self._skipped[level] += skipped

    @property
    def seconds(self) -> float:
        """Seconds of skipped frames that are well above the recording's noise."""
        first = max(self._noise() + _ABOVE, _AUDIBLE)
        return sum(frames for level, frames in self._skipped.items() if level >= first) * FRAME

    def _noise(self) -> int:
        """The level that a tenth of the frames does not exceed."""
        quieter, wanted = 0, self._all.total() * _FLOOR
        for level in sorted(self._all):
            quieter += self._all[level]
            if quieter >= wanted:
                return level
        return _AUDIBLE


def warnings(seconds: float) -> tuple[str, ...]:
    """The warning about `PassedOver.seconds`, if they are many."""
    if seconds < _LONG:
        return ()
    length = f"{seconds:.0f} s of sound well above the noise"
    return (f"{length} were taken for no speech; if people talk there, set transcribe.vad = false",)
