"""A stream of audio cut into windows for Whisper: at most 30 s of speech each, the silence left out.

Each window is cut by a fresh `Cutter` from the probabilities of a fresh detector, so a window depends on nothing
before its start: a resume at any window's end cuts as an undisturbed run. Frames are heard in groups that are counted from
the window's start too, for the same reason. What was heard behind a cut is heard again for the next window; the rules
keep that short (0.4 s in silence; the beginning of the span that did not fit any more, else).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sttd.worker.heap import beside, room
from sttd.worker.speech.cutting import FRAME, Bounds, Cut, Cutter
from sttd.worker.speech.vad import Array, Silero, SpeechDetector

_GROUP = 32  # frames (1 s) heard at once; more is hardly quicker, and what lies behind a cut is heard in vain
_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What goes through the model together. Windows tile the stream: each starts where the one before ended."""

    index: int
    start: int  # first sample of the recording that it stands for, skipped silence included
    end: int  # sample after the last
    spans: tuple[tuple[int, int], ...]  # samples of the recording: the pieces with speech, in order
    audio: Array  # the spans joined, float32, 16 kHz, at most 416000 samples; empty where there is only silence


def windows(
    blocks: Iterator[tuple[int, Array]],
    start: int,
    index: int,
    threshold: float,
    *,
    detector: SpeechDetector | None = None,
    bounds: Bounds = _BOUNDS,
) -> Iterator[Window]:
    """Cut a stream.

    Args:
        blocks: (position, samples) in order and without a gap, the first one at `start`; of any length.
        start: the first sample; 0, or the end of an earlier window.
        index: of the first window.
        threshold: the probability above which a frame is speech.
        detector: Silero where none is given.
        bounds: where windows end at the latest.

    Yields:
        windows that tile the stream, the last one ending with it; none for an empty stream.
    """
    detector = detector or Silero()
    stream = _Buffer(blocks, start)
    while stream.fill(1):
        cut = _cut(stream, detector, Cutter(threshold, bounds))
        pieces = [stream.samples[first:last] for first, last in cut.spans]
        spans = tuple((stream.start + first, stream.start + last) for first, last in cut.spans)
        audio = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
        yield Window(index, stream.start, stream.start + cut.end, spans, audio)
        stream.drop(cut.end)
        index += 1


def _cut(stream: _Buffer, detector: SpeechDetector, cutter: Cutter) -> Cut:
    detector.reset()
    heard = 0  # samples
    while stream.fill(heard + 1):
        stream.fill(heard + _GROUP * FRAME)
        group = stream.samples[heard : heard + _GROUP * FRAME]
        frames = np.pad(group, (0, -len(group) % FRAME)).reshape(-1, FRAME)
        for probability in detector.probabilities(frames).tolist():
            cut = cutter.feed(probability)
            if cut is not None:
                return cut
        heard += len(group)
    return cutter.finish(heard)


class _Buffer:
    """The samples from the current window's start on; no more than a window's bounds and one block."""

    def __init__(self, blocks: Iterator[tuple[int, Array]], start: int) -> None:
        self.start = start  # position of the first sample held
        self._blocks = blocks
        self._held = np.zeros(0, np.float32)
        self._size = 0

    @property
    def samples(self) -> Array:
        return self._held[: self._size]

    def fill(self, count: int) -> bool:
        """Hold at least `count` samples; False where the stream ends before."""
        while self._size < count:
            position, block = next(self._blocks, (None, None))
            if block is None:
                return False
            assert position == self.start + self._size, "blocks follow each other without a gap"
            self._append(block)
        return True

    def drop(self, count: int) -> None:
        """Forget the first `count` samples, and the room they took."""
        self._held = beside(self._held[count : self._size])
        self._size -= count
        self.start += count

    def _append(self, block: Array) -> None:
        size = self._size + len(block)
        if size > len(self._held):
            grown = room(max(size, 2 * len(self._held)))
            grown[: self._size] = self.samples
            self._held = grown
        self._held[self._size : size] = block
        self._size = size
