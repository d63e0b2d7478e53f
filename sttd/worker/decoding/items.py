"""What goes through the model: whole windows first, then the stretches of them that have no text yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt

from sttd.part import SAMPLE_RATE
from sttd.worker.decoding.features import Features, log_mel
from sttd.worker.decoding.judge import FRAMES_PER_SECOND, LEVEL, Layout, is_hushed, quietest
from sttd.worker.decoding.voice import Spoken, Voice
from sttd.worker.heap import allocate, copied
from sttd.worker.speech.windows import Window

FRAMES = 3000  # that the encoder takes at once: 30 s
_SAMPLES_PER_FRAME = SAMPLE_RATE // FRAMES_PER_SECOND

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Prepared:
    """A window with its features, and without its samples; no features where the window is silent."""

    window: Window
    features: Features | None
    encoded: Any = None  # see `Item`
    spoken: Spoken | None = None  # None: the language is found section by section, or all is silent


def prepare(whisper: Any, window: Window) -> Prepared:
    """Compute a window's features (a hundred frames a second); called in the prefetch thread."""
    if len(window.audio) < _SAMPLES_PER_FRAME:
        return Prepared(window, None)
    features = log_mel(whisper.feature_extractor, window.audio)[..., :-1]  # the last frame is of padding alone
    return Prepared(replace(window, audio=window.audio[:0].copy()), copied(features[..., :FRAMES]))


@dataclass
class Item:
    """A stretch of one window."""

    window: int  # index in the batch
    offset: int  # frames from the window's beginning
    features: Features
    voice: Voice | None = None  # None: not known yet; the rest of a window keeps it
    probability: float = 1.0  # of the voice's language
    encoded: Any = field(default=None, repr=False)  # the encoder's output (see `outputs`), where it is there already

    @property
    def frames(self) -> int:
        return int(self.features.shape[-1])

    def cut(self, first: int, last: int | None = None) -> Item:
        return Item(self.window, self.offset + first, self.features[:, first:last], self.voice, self.probability)

    def owed(self, layout: Layout) -> list[Item]:
        """What is to be decoded next: the rest, both halves (cut at the quietest place near the middle), or nothing."""
        if layout.split:
            middle = quietest(self.levels()) * LEVEL + LEVEL // 2
            return [self.cut(0, middle), self.cut(middle)]
        if layout.go_on is None or is_hushed(self.levels(), (self.frames - layout.go_on) // LEVEL):
            return []
        return [self.cut(layout.go_on)]

    def levels(self) -> list[float]:
        """Loudness of each 0.1 s: that of the loudest band."""
        loudest = self.features[:, : self.frames // LEVEL * LEVEL].max(axis=0)
        levels: list[float] = loudest.reshape(-1, LEVEL).mean(axis=1).tolist()
        return levels


def whole(index: int, prepared: Prepared) -> list[Item]:
    """The item of a window, the `index`th of its batch; none where it is silent."""
    if prepared.features is None:
        return []
    item = Item(index, 0, prepared.features, encoded=prepared.encoded)
    if prepared.spoken is not None:
        item.voice, item.probability = prepared.spoken.voice, prepared.spoken.probability
    return [item]


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
    owed = [item for item in items if item.encoded is None]
    if len(owed) == len(items) and (whisper.model.device != "cpu" or len(items) == 1):
        return whisper.encode(stack(items))
    made = iter(_made(whisper, owed))
    first = next(made) if items[0].encoded is None else items[0].encoded
    together = allocate(len(items), *first.shape[1:])
    together[0] = first[0]
    for row, item in zip(together[1:], items[1:], strict=True):
        row[:] = (next(made) if item.encoded is None else item.encoded)[0]
    return ctranslate2.StorageView.from_array(together)


def outputs(whisper: Any, items: Sequence[Item]) -> list[Floats]:
    """The encoder's output of each item: 1 by 1500 positions of 20 ms by the model's width, in the host's memory."""
    return [copied(output) for output in _made(whisper, items)]


def _made(whisper: Any, items: Sequence[Item]) -> Iterator[Floats]:
    if items and whisper.model.device != "cpu":
        yield from np.split(_host(whisper.encode(stack(items))), len(items))
    else:
        for item in items:
            yield _host(whisper.encode(stack([item])))


def _host(encoded: Any) -> Floats:
    # numpy has no bfloat16
    return np.asarray(encoded.to_device(ctranslate2.Device.cpu).to(ctranslate2.DataType.float32))
