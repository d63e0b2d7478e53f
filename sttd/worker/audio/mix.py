"""Mixes several tracks of one recording into one, by time; pure.

With `together` all are added up. Else the first one is used, and another one where those before it are silent for long: in
OBS's recordings the microphone may be on the second track, and a television programme may go on in another one. Short pauses
are not filled, for what the other track says in them may be a translation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from sttd.part import SAMPLE_RATE
from sttd.worker.audio.sound import APART

Array = npt.NDArray[np.float32]

_GRID = SAMPLE_RATE // 4  # samples of a block, which is taken from one track as a whole
_LONG = 40  # blocks (10 s) of silence after which another track is listened to, from the beginning of that silence on
SILENT = 1e-4  # full scale is 1: -80 dB, what codings make of digital silence
_APART = round(APART * SAMPLE_RATE)


class _Track:
    """One track's samples that are still to be given, cut into blocks."""

    def __init__(self, rows: tuple[int, ...]) -> None:
        self._none = np.zeros((*rows, 0), np.float32)
        self.start: int | None = None  # sample where it begins
        self.end = 0  # sample after its last
        self.is_heard = False  # it had sound
        self.since = 0  # sample where it began to have sound, after a long silence
        self.last = 0  # sample after its latest block with sound
        self.quiet = 0  # blocks without sound just before the first that is held
        self.blocks: deque[Array] = deque()
        self.loud: deque[bool] = deque()  # of each of them
        self._rest: list[Array] = []  # of the block that is not full yet

    @property
    def held(self) -> int:
        return sum(map(_length, self.blocks)) + sum(map(_length, self._rest))

    def add(self, samples: Array) -> None:
        """Append samples."""
        self._rest.append(samples)
        if sum(map(_length, self._rest)) >= _GRID:
            joined = np.concatenate(self._rest, axis=-1)
            whole = _length(joined) // _GRID * _GRID
            for first in range(0, whole, _GRID):
                self._keep(joined[..., first : first + _GRID])
            self._rest = [joined[..., whole:]]

    def add_silence(self, count: int) -> None:
        self.add(np.zeros((*self._none.shape[:-1], count), np.float32))

    def flush(self) -> None:
        """Make a shorter block of the rest: the track has no more for now."""
        rest = np.concatenate([self._none, *self._rest], axis=-1)
        self._rest = []
        if _length(rest):
            self._keep(rest)

    def take(self, place: int) -> tuple[Array | None, bool]:
        """The next block, which begins at `place`, and whether there is sound in it; None: there is none."""
        if not self.blocks:
            self.flush()
        block, is_loud = (self.blocks.popleft(), self.loud.popleft()) if self.blocks else (None, False)
        if is_loud:
            self.since = self.since if self.is_heard and self.quiet < _LONG else place
            self.last = place + _GRID
            self.is_heard = True
        self.quiet = 0 if is_loud else self.quiet + 1
        return block, is_loud

    def goes_on_for(self, other: _Track) -> bool:
        """Whether this track's sound began where that of `other` ended: a translation would have begun before."""
        return other.is_heard and self.since >= other.last - SAMPLE_RATE

    def _keep(self, block: Array) -> None:
        self.blocks.append(block)
        self.loud.append(is_loud(block))


def is_loud(samples: Array) -> bool:
    return bool(np.abs(samples).max(initial=0.0) >= SILENT)


class Mixer:
    """Takes each track's samples as they come and gives the mixed ones, as soon as each track has come so far.

    Channels that are kept apart (`rows` of them; 0: samples alone) stay so.

    A track that falls behind by more than `APART` has ended, or pauses: it counts as silent. Earlier sound that still comes
    from it is moved to after what was given.
    """

    def __init__(self, count: int, *, together: bool, rows: int = 0) -> None:
        self.used = [False] * count  # tracks that are heard in the result
        self._together = together
        self._rows = (rows,) if rows else ()
        self._tracks = [_Track(self._rows) for _ in range(count)]
        self._given = 0  # samples of the result
        self._is_over = False

    @property
    def heard(self) -> list[bool]:
        """Tracks that have sound at all."""
        return [track.is_heard for track in self._tracks]

    @property
    def front(self) -> float:
        """Seconds up to which the furthest track has come."""
        return self._front / SAMPLE_RATE

    @property
    def _front(self) -> int:
        return max(track.end for track in self._tracks)

    def last(self, numbers: Iterable[int]) -> int:
        """Which of these tracks is least far."""
        return min(numbers, key=lambda number: self._tracks[number].end)

    def put(self, number: int, samples: Array, start: int) -> None:
        """Take samples of a track. `start` is the place of its first ones, and is not used for later ones."""
        track = self._tracks[number]
        if track.start is None:
            track.start = track.end = start
        late = self._given - track.end
        if late > 0 and not is_loud(samples):  # silence that was given already
            track.end += min(late, _length(samples))
            samples = samples[..., late:]
            late = self._given - track.end
        if not _length(samples):
            return
        place = max(track.end, self._given)
        silence = place - self._given - track.held
        if silence > 0:
            track.add_silence(silence)
        track.add(samples)
        track.end = place + _length(samples)

    def ready(self) -> Iterator[Array]:
        """What can be given now: as much is kept back as it takes to tell a long silence from a pause."""
        until = max(min(track.end for track in self._tracks), self._front - _APART) - _LONG * _GRID
        while self._given + _GRID <= until:
            yield self._take(_GRID)

    def finish(self) -> Iterator[Array]:
        """The rest."""
        self._is_over = True
        front = self._front
        for track in self._tracks:
            track.flush()
        while self._given < front:
            yield self._take(min(_GRID, front - self._given))

    def _take(self, count: int) -> Array:
        """The next block, of all tracks or of one."""
        out = [self._is_out(track) for track in self._tracks]
        blocks = [track.take(self._given) for track in self._tracks]
        self._given += count
        if self._together:
            self.used = self.heard
            return np.asarray(np.sum([self._padded(block, count) for block, _ in blocks], axis=0), np.float32)
        chosen = self._choose(out, [is_loud for _, is_loud in blocks])
        self.used[chosen] = self.used[chosen] or blocks[chosen][1]
        return self._padded(blocks[chosen][0], count)

    def _choose(self, out: list[bool], loud: list[bool]) -> int:
        """The number of the track that is heard in a block."""
        pausing = None  # the first one that only makes a pause
        for number, track in enumerate(self._tracks):
            if loud[number]:
                if pausing is None or track.goes_on_for(self._tracks[pausing]):
                    return number
            elif not out[number] and pausing is None:
                pausing = number
        return pausing or 0

    def _is_out(self, track: _Track) -> bool:
        """Whether a track has not begun by the next block, or is silent there for long."""
        if track.start is None or track.start > self._given:
            return True
        quiet = track.quiet
        for is_loud_there in track.loud:
            if is_loud_there:
                return quiet >= _LONG
            quiet += 1
        quiet = track.quiet + max(len(track.loud), (self._front - self._given) // _GRID)
        return quiet >= _LONG or (self._is_over and not track.is_heard)

    def _padded(self, block: Array | None, count: int) -> Array:
        """A block, with silence where the track has none."""
        padded = np.zeros((*self._rows, count), np.float32)
        if block is not None:
            padded[..., : _length(block)] = block[..., :count]
        return padded


def _length(samples: Array) -> int:
    return int(samples.shape[-1])
