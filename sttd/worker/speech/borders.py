"""Where one part of a recording ends and the next one begins. The workers of both find the same border, each by itself.

Border k is the end of the first window that a fresh cutter and a fresh detector make from sample k * `Share.length` on.
The detector hears the `LEAD` before it first, as before any window. So a border depends on the options and on the samples
from 4 s before its place to half a minute behind it, and on nothing else: not on where a worker began to read, not on the
windows before it, not on the other channels. Neighbours agree without talking, as a resume agrees with the run before it.

The search begins at that sample, and no earlier: an earlier beginning would cost both neighbours more, and gain nothing. Two
chains of windows that begin at different places coincide only after 20 windows or so (10 min).

The windows of this search are short, so that little audio is held back, and so that borders are in order: the longest one is
`silence` and `speech` together, two thirds of a part's length at most. These windows belong to no part.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from sttd.part import SAMPLE_RATE, Options
from sttd.sharing import Share
from sttd.worker.speech.cutting import Bounds
from sttd.worker.speech.side_by_side import Block, Blocks
from sttd.worker.speech.vad import SpeechDetector
from sttd.worker.speech.windows import Window, lead, windows

_LONGEST = Bounds(speech=26 * SAMPLE_RATE, source=30 * SAMPLE_RATE, silence=10 * SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class Border:
    """A border that is to be found in each channel."""

    place: int  # sample at which the search begins; the border is after it
    bounds: Bounds
    options: Options

    @property
    def first(self) -> int:
        """The first sample that the search needs."""
        return lead(self.place)

    def find(self, blocks: Blocks, detector: SpeechDetector | None = None) -> int | None:
        """The border's sample; None where the stream ends before its place.

        Where the stream ends before the window does, the border is the end: nothing is left for the next part.

        Args:
            blocks: as `windows` takes them, the first one at `first`. At most 37 s behind its place are read.
            detector: see `windows`.
        """
        found = next(cut(blocks, self.place, self.options, self.bounds, detector), None)
        return None if found is None else found.end


def border(number: int, share: Share, options: Options) -> Border:
    """The border at which part `number` begins. Not for part 0: it begins without one."""
    third = round(share.length * SAMPLE_RATE) // 3
    bounds = Bounds(*(min(third, longest) for longest in (_LONGEST.speech, _LONGEST.source, _LONGEST.silence)))
    return Border(round(number * share.length * SAMPLE_RATE), bounds, options)


def cut(
    blocks: Blocks, start: int, options: Options, bounds: Bounds, detector: SpeechDetector | None = None
) -> Iterator[Window]:
    """The windows of one channel from `start` on, see `windows`."""
    return windows(
        blocks,
        start,
        0,
        options.vad_threshold,
        everything=not options.vad,
        detector=detector,
        bounds=bounds,
        silence=round(options.vad_silence * SAMPLE_RATE),
    )


def beginning(blocks: Blocks, border: Border, detector: SpeechDetector | None = None) -> tuple[int, Blocks] | None:
    """The first sample of the part that begins at `border`, and its blocks from its lead on; None: the stream ends before it.

    `blocks` begin at `border.first`.
    """
    start, held = _search(blocks, border, detector)
    return None if start is None else (start, between(itertools.chain(held, blocks), lead(start)))


def until(blocks: Blocks, border: Border, detector: SpeechDetector | None = None) -> Blocks:
    """The blocks before `border`, where their part ends; all of them, where the stream ends before.

    `blocks` begin at `border.first` or before. From there on they are held back until the border is found.
    """
    for position, block in blocks:
        before = max(0, border.first - position)
        if before:
            yield position, block[:before]
        if before < len(block):
            rest = (position + before, block[before:])
            end, held = _search(itertools.chain([rest], blocks), border, detector)
            yield from between(iter(held), 0, end)
            return


def between(blocks: Blocks, first: int, end: int | None = None) -> Blocks:
    """The blocks from sample `first` to before `end`."""
    for position, block in blocks:
        if end is not None and position >= end:
            return
        skipped = max(0, first - position)
        kept = block[skipped : None if end is None else end - position]
        if len(kept):
            yield position + skipped, kept


def _search(blocks: Blocks, border: Border, detector: SpeechDetector | None) -> tuple[int | None, list[Block]]:
    """The border, and what was read to find it."""
    held: list[Block] = []

    def heard() -> Blocks:
        for block in blocks:
            held.append(block)
            yield block

    return border.find(heard(), detector), held
