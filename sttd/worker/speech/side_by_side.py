"""The windows of several channels, which are read together: the next window is always one of the channel that is least far.

So the audio that is held for the other channels is no longer than a window, whatever the recording's length. Each channel is
cut by itself: a resume, which begins each one at its own place, cuts as an undisturbed run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from sttd.part import SAMPLE_RATE
from sttd.worker.speech.cutting import Bounds
from sttd.worker.speech.vad import Array
from sttd.worker.speech.windows import Window, lead

Block = tuple[int, Array]  # position and samples
Blocks = Iterator[Block]


def bounds(channels: int) -> Bounds:
    """The bounds of windows, shorter where channels are several: together they hold about as much audio in memory as one."""
    alone = Bounds()
    return Bounds(source=max(alone.silence, alone.source // channels // SAMPLE_RATE * SAMPLE_RATE))


def side_by_side(
    blocks: Blocks,
    starts: Mapping[int, int],
    cut: Callable[[Blocks, int], Iterator[Window]],
    firsts: Mapping[int, int] | None = None,
) -> Iterator[Window]:
    """Cut all channels.

    Args:
        blocks: (position, samples) in order and without a gap, from the least of `firsts` on. Of several channels the samples are
            channels by samples, in the order of `starts`.
        starts: by channel, where its first window begins, or near which.
        cut: makes the windows of one channel, from its blocks and its number.
        firsts: by channel, the first sample that `cut` needs; the `lead` of its start where none are given.

    Yields:
        windows that tile each channel, in the order in which they begin.
    """
    firsts = firsts or {channel: lead(start) for channel, start in starts.items()}
    shared = _Shared(blocks, [firsts[channel] for channel in starts])
    rows = {channel: row for row, channel in enumerate(starts)}
    cutting = {channel: cut(shared.of(row), channel) for channel, row in rows.items()}
    ends = dict(starts)
    while cutting:
        channel = min(cutting, key=lambda channel: (ends[channel], channel))
        window = next(cutting[channel], None)
        if window is None:
            del cutting[channel]
            shared.drop(rows[channel])
            continue
        ends[channel] = window.end
        yield replace(window, channel=channel) if window.audio.any() else _silent(window, channel)


def _silent(window: Window, channel: int) -> Window:
    """A window of nothing but zeros becomes a silent one, even with `vad = false`: there is nothing to transcribe."""
    return replace(window, channel=channel, spans=(), audio=np.zeros(0, np.float32))


class _Shared:
    """Blocks that are read once, and taken apart into the rows of their samples."""

    def __init__(self, blocks: Blocks, firsts: list[int]) -> None:
        self._blocks = blocks
        self._firsts = firsts  # sample from which on each row is wanted
        self._waiting: list[deque[tuple[int, Array]]] = [deque() for _ in firsts]

    def of(self, row: int) -> Blocks:
        """The blocks of one row."""
        waiting = self._waiting[row]
        while waiting or self._read():
            if waiting:
                yield waiting.popleft()

    def drop(self, row: int) -> None:
        """Nothing more of it is wanted: what is read for the others must not pile up."""
        self._waiting[row] = deque(maxlen=0)

    def _read(self) -> bool:
        """Read a block; False where there is none."""
        position, block = next(self._blocks, (0, None))
        if block is None:
            return False
        for waiting, first, samples in zip(self._waiting, self._firsts, np.atleast_2d(block), strict=True):
            skipped = max(0, first - position)
            if skipped < len(samples):
                waiting.append((position + skipped, samples[skipped:]))
        return True
