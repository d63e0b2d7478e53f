"""A stream of audio cut into windows for Whisper: at most 30 s of speech each, the silence left out.

Each window is cut by a fresh `Cutter` from the probabilities of a fresh detector. A fresh detector first misses quiet speech,
for up to 1.9 s. So it hears the 4 s before the window first, and its answers for them are dropped. At the beginning of a
recording, where nothing comes before, it hears the first 4 s twice. A window thus depends on its own samples and those 4 s
alone: a resume at any window's end, which reads them again, cuts as an undisturbed run. Frames are counted from the window's
start, for the same reason. What was heard after a cut is heard again for the next window; the rules keep that short (0.4 s in
silence; else the beginning of the span that did not fit any more).

A recording of one window and with no pause longer than a second is transcribed whole, as faster-whisper does it: where the
text differs from faster-whisper's, the cause is the decoding and not the cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from sttd.part import SAMPLE_RATE, TOGETHER
from sttd.worker.heap import allocate, copied
from sttd.worker.speech.cutting import END_SILENCE, FRAME, Bounds, Cut, Cutter
from sttd.worker.speech.front import LevelledSilero
from sttd.worker.speech.passed_over import levels
from sttd.worker.speech.vad import Array, SpeechDetector

LEAD = 125 * FRAME  # samples (4 s) before a window that the detector hears first: 1 s was enough in nine cases of ten
_GROUP = 32  # frames (1 s) heard at once; more is hardly quicker, and what lies behind a cut is heard in vain
_PAUSE = SAMPLE_RATE  # samples: in longer ones Whisper may hear words that nobody says
_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What goes through the model together. Windows tile the stream: each starts where the one before ended."""

    index: int
    start: int  # first sample of the recording that it covers, skipped silence included
    end: int  # sample after the last
    spans: tuple[tuple[int, int], ...]  # samples of the recording: the pieces with speech, in order
    audio: Array  # the spans joined, float32, 16 kHz, at most `Bounds.speech`; empty where there is only silence
    levels: tuple[tuple[int, int, int], ...] = ()  # see `Chunk.levels`
    channel: int = TOGETHER


def lead(start: int) -> int:
    """The sample from which `windows` wants its blocks where the first window begins at `start`."""
    return max(0, start - LEAD)


def windows(
    blocks: Iterator[tuple[int, Array]],
    start: int,
    index: int,
    threshold: float,
    *,
    everything: bool = False,
    detector: SpeechDetector | None = None,
    bounds: Bounds = _BOUNDS,
    silence: int = END_SILENCE,
) -> Iterator[Window]:
    """Cut a stream.

    Args:
        blocks: (position, samples) in order and without a gap, the first one at `lead(start)`; of any length.
        start: the first sample; 0, or the end of an earlier window.
        index: of the first window.
        threshold: the probability above which a frame is speech.
        everything: nothing is left out; windows are cut where there is no speech.
        detector: `LevelledSilero` where none is given.
        bounds: where windows end at the latest.
        silence: samples without speech that end a span.

    Yields:
        windows that tile the stream from `start` on, to its end; none if it ends at `start`.
    """
    detector = detector or LevelledSilero()
    stream = _Buffer(blocks, lead(start), start)
    while stream.fill(1):
        cut = _cut(stream, detector, Cutter(threshold, bounds, everything=everything, silence=silence))
        if start == stream.start == 0 and cut.end <= bounds.speech and _is_dense(cut) and not stream.fill(cut.end + 1):
            cut = replace(cut, spans=((0, cut.end),))
        pieces = [stream.samples[first:last] for first, last in cut.spans]
        spans = tuple((stream.start + first, stream.start + last) for first, last in cut.spans)
        audio = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
        found = levels(stream.samples[: cut.end], cut.spans)
        yield Window(index, stream.start, stream.start + cut.end, spans, audio, found)
        stream.move(cut.end)
        index += 1


def _is_dense(cut: Cut) -> bool:
    """Whether there is speech in a window, and no pause worth leaving out; padding is no pause."""
    edges = [0, *(edge for span in cut.spans for edge in span), cut.end]
    return bool(cut.spans) and max(last - first for first, last in zip(edges[::2], edges[1::2], strict=True)) <= _PAUSE


def _cut(stream: _Buffer, detector: SpeechDetector, cutter: Cutter) -> Cut:
    detector.reset()
    before = stream.before if stream.start else stream.beginning()
    if len(before):
        detector.probabilities(before.reshape(-1, FRAME))
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
    """The current window's samples, as far as they were read, and those of its lead."""

    def __init__(self, blocks: Iterator[tuple[int, Array]], first: int, start: int) -> None:
        self.start = start  # position of the window's first sample
        self._first = first  # position of the first sample held
        self._blocks = blocks
        self._held = np.zeros(0, np.float32)
        self._size = 0

    @property
    def before(self) -> Array:
        """The lead: whole frames, the last of which ends where the window begins."""
        here = self.start - self._first
        return self._held[here % FRAME : here]

    def beginning(self) -> Array:
        """As much of the window's beginning as a lead has, in whole frames."""
        self.fill(LEAD)
        return self.samples[: min(LEAD, len(self.samples)) // FRAME * FRAME]

    @property
    def samples(self) -> Array:
        return self._held[self.start - self._first : self._size]

    def fill(self, count: int) -> bool:
        """Hold at least `count` samples of the window; False where the stream ends before."""
        while self._first + self._size < self.start + count:
            position, block = next(self._blocks, (None, None))
            if block is None:
                return False
            assert position == self._first + self._size, "blocks follow each other without a gap"
            self._append(block)
        return True

    def move(self, count: int) -> None:
        """Begin the next window `count` samples later. Samples before its lead are dropped, and their memory freed."""
        self.start += count
        gone = lead(self.start) - self._first
        self._held = copied(self._held[gone : self._size])
        self._size -= gone
        self._first += gone

    def _append(self, block: Array) -> None:
        size = self._size + len(block)
        if size > len(self._held):
            grown = allocate(max(size, 2 * len(self._held)))
            grown[: self._size] = self._held[: self._size]
            self._held = grown
        self._held[self._size : size] = block
        self._size = size
