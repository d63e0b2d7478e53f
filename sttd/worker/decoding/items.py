"""What goes through the model: whole windows first, then the stretches of them that are still owed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt

from sttd.part import SAMPLE_RATE
from sttd.worker.decoding.features import Features, log_mel
from sttd.worker.decoding.judge import FRAMES_PER_SECOND, LEVEL, Layout, is_hushed, quietest
from sttd.worker.decoding.voice import Voice
from sttd.worker.heap import beside, room
from sttd.worker.speech.windows import Window

FRAMES = 3000  # that the encoder takes at once: 30 s
_SAMPLES_PER_FRAME = SAMPLE_RATE // FRAMES_PER_SECOND


@dataclass(frozen=True)
class Prepared:
    """A window with its features, and without its samples; no features where the window is silent."""

    window: Window
    features: Features | None


def prepare(whisper: Any, window: Window) -> Prepared:
    """Compute a window's features (a hundred frames a second); called in the prefetch thread."""
    if len(window.audio) < _SAMPLES_PER_FRAME:
        return Prepared(window, None)
    features = log_mel(whisper.feature_extractor, window.audio)[..., :-1]  # the last frame is of padding alone
    return Prepared(replace(window, audio=window.audio[:0].copy()), beside(features[..., :FRAMES]))


@dataclass
class Item:
    """A stretch of one window."""

    window: int  # index in the batch
    offset: int  # frames from the window's beginning
    features: Features
    voice: Voice | None = None  # found out when it is first encoded; the rest of a window keeps it
    probability: float = 1.0  # of the voice's language

    @property
    def frames(self) -> int:
        return int(self.features.shape[-1])

    def part(self, first: int, last: int | None = None) -> Item:
        return Item(self.window, self.offset + first, self.features[:, first:last], self.voice, self.probability)

    def owed(self, layout: Layout) -> list[Item]:
        """What is to be decoded next: the rest, both halves (cut at the quietest place near the middle), or nothing."""
        if layout.split:
            middle = quietest(self._levels()) * LEVEL + LEVEL // 2
            return [self.part(0, middle), self.part(middle)]
        if layout.go_on is None or is_hushed(self._levels(), (self.frames - layout.go_on) // LEVEL):
            return []
        return [self.part(layout.go_on)]

    def _levels(self) -> list[float]:
        """Loudness of each 0.1 s: that of the loudest band."""
        loudest = self.features[:, : self.frames // LEVEL * LEVEL].max(axis=0)
        levels: list[float] = loudest.reshape(-1, LEVEL).mean(axis=1).tolist()
        return levels


def stack(items: Sequence[Item]) -> npt.NDArray[np.float32]:
    """The encoder's input: items by bands by 3000 frames, filled up with zeros as faster-whisper's `pad_or_trim` does."""
    batch = np.zeros((len(items), items[0].features.shape[0], FRAMES), np.float32)
    for row, item in zip(batch, items, strict=True):
        row[:, : item.frames] = item.features
    return batch


def encode(whisper: Any, items: Sequence[Item]) -> Any:
    """The encoder's output for all items; on a CPU they go through it one by one.

    A GPU wants a batch. A CPU is filled by one window, and its attention alone takes 9 MB a head: for a batch of 8 through
    `small` that would be 860 MB (the demo model: 290).
    """
    if whisper.model.device != "cpu" or len(items) == 1:
        return whisper.encode(stack(items))
    first = whisper.encode(stack(items[:1]))
    if first.dtype != ctranslate2.DataType.float32:  # numpy has no bfloat16
        return whisper.encode(stack(items))
    together = room(len(items), *first.shape[1:])
    together[0] = np.asarray(first)[0]
    for index in range(1, len(items)):
        together[index] = np.asarray(whisper.encode(stack(items[index : index + 1])))[0]
    return ctranslate2.StorageView.from_array(together)
