"""Several tracks of one recording become one, by time; pure.

All together are added up. Else the first of them is the recording, and another one is heard where those before it are
silent: in OBS's recordings the microphone may be on the second track, and a television programme may go on in another one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sttd.part import SAMPLE_RATE
from sttd.worker.audio.sound import APART

Array = npt.NDArray[np.float32]

_GRID = SAMPLE_RATE // 4  # samples that are taken from one track or another as a whole
_SILENT = 1e-4  # full scale is 1: -80 dB, what codings make of digital silence
_APART = round(APART * SAMPLE_RATE)


class Mixer:
    """Takes each track's samples as they come and gives the mixed ones, as soon as each track has come so far.

    A track that falls behind by more than `APART` has ended, or makes a pause: it is silent, and what it still says later
    goes on from there.
    """

    def __init__(self, count: int, *, together: bool) -> None:
        self.used = [False] * count  # tracks that are heard in the result
        self.heard = [False] * count  # tracks that have sound at all
        self._together = together
        self._held: list[list[Array]] = [[] for _ in range(count)]
        self._ends = [0] * count  # sample after the last that each has given
        self._given = 0  # samples of the result

    @property
    def front(self) -> float:
        """Seconds where the track is that is furthest."""
        return max(self._ends) / SAMPLE_RATE

    def put(self, number: int, samples: Array, start: int) -> None:
        """Samples of a track; `start` counts for its first ones: the place where they belong."""
        place = self._ends[number] or start
        place = max(place, self._given)
        silence = place - max(self._ends[number], self._given)
        if silence > 0:
            self._held[number].append(np.zeros(silence, np.float32))
        self._held[number].append(samples)
        self._ends[number] = place + len(samples)

    def ready(self) -> Iterator[Array]:
        """What can be given now."""
        until = max(min(self._ends), max(self._ends) - _APART)
        while self._given + _GRID <= until:
            yield self._take(_GRID)

    def finish(self) -> Iterator[Array]:
        """The rest."""
        while self._given < max(self._ends):
            yield self._take(min(_GRID, max(self._ends) - self._given))

    def _take(self, count: int) -> Array:
        pieces = [self._piece(number, count) for number in range(len(self._held))]
        self._given += count
        loud = [bool(np.abs(piece).max(initial=0.0) >= _SILENT) for piece in pieces]
        self.heard = [before or now for before, now in zip(self.heard, loud, strict=True)]
        if self._together:
            self.used = self.heard
            return np.asarray(np.sum(pieces, axis=0), np.float32)
        chosen = loud.index(True) if any(loud) else 0
        self.used[chosen] = self.used[chosen] or loud[chosen]
        return pieces[chosen]

    def _piece(self, number: int, count: int) -> Array:
        """The next samples of a track, with silence where it has none."""
        found = np.concatenate([np.zeros(0, np.float32), *self._held[number]])
        self._held[number] = [found[count:]] if len(found) > count else []
        return np.pad(found[:count], (0, max(0, count - len(found))))
