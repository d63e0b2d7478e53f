"""The time of each word, by faster-whisper's alignment, without anything leaking from one window into the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ctranslate2
import numpy as np

from sttd.worker.decoding.judge import FRAMES_PER_SECOND, Piece
from sttd.worker.decoding.voice import Voice

SECONDS_PER_TIMESTAMP = 0.02
# faster-whisper shortens a segment's first word by where the segment before it ended, and takes the items of a batch for
# one running text. Each item gets times of its own, so far from the others that there is always a pause before it.
_APART = 1000  # seconds
# faster-whisper's defaults
_PREPENDED = "\"'“¿([{-"
_APPENDED = "\"'.。,，!！?？:：”)]}、"


@dataclass(frozen=True, slots=True)
class Timed:
    """A piece, or a word of it; in seconds from the item's beginning."""

    start: float
    end: float
    word: str = ""
    probability: float = 0.0
    words: tuple[Timed, ...] = ()  # of a piece


@dataclass(frozen=True, slots=True)
class Line:
    """What was understood of one item of a batch; no pieces where nothing was."""

    voice: Voice
    frames: int
    pieces: tuple[Piece, ...]


def untimed(piece: Piece) -> Timed:
    return Timed(piece.start * SECONDS_PER_TIMESTAMP, piece.end * SECONDS_PER_TIMESTAMP)


def time_words(whisper: Any, encoded: Any, lines: Sequence[Line]) -> list[list[Timed]]:
    """The pieces of each line with their words.

    Args:
        whisper: faster-whisper's model.
        encoded: the encoder's output for all items of the batch, in the order of `lines`.
        lines: one an item.
    """
    timed = [[untimed(piece) for piece in line.pieces] for line in lines]
    for voice, indices, outputs in _groups(whisper, encoded, lines):
        segments = [_segments(index, lines[index], voice) for index in indices]
        frames = [lines[index].frames for index in indices]
        whisper.add_word_timestamps(segments, voice.tokenizer, outputs, frames, _PREPENDED, _APPENDED, 0.0)
        for index, found in zip(indices, segments, strict=True):
            if lines[index].pieces and lines[index].voice is voice:
                timed[index] = [_read(segment, _base(index), lines[index].frames) for segment in found]
    return timed


def _groups(whisper: Any, encoded: Any, lines: Sequence[Line]) -> Iterator[tuple[Voice, Sequence[int], Any]]:
    """What is aligned together: a voice, indices of lines, and the encoder's output for these.

    For each token of a text the alignment holds the probabilities of the whole vocabulary, 0.2 MB. In a batch, each item takes
    as much as the longest text. So a CPU gets one item at a time, and only those with text.
    """
    spoken = [index for index, line in enumerate(lines) if line.pieces]
    if whisper.model.device == "cpu" and encoded.dtype == ctranslate2.DataType.float32:  # see items.encode
        outputs = np.asarray(encoded)
        for index in spoken:
            yield lines[index].voice, [index], ctranslate2.StorageView.from_array(outputs[index : index + 1])
    else:
        for voice in {lines[index].voice.language: lines[index].voice for index in spoken}.values():
            yield voice, range(len(lines)), encoded


def _base(index: int) -> float:
    return float((index + 1) * _APART)


def _segments(index: int, line: Line, voice: Voice) -> list[dict[str, Any]]:
    """The pieces in faster-whisper's form; one without text for an item that is empty or in another language."""
    base = _base(index)
    pieces = line.pieces if line.voice is voice else ()
    return [
        {
            "seek": int(base * FRAMES_PER_SECOND),
            "start": base + piece.start * SECONDS_PER_TIMESTAMP,
            "end": base + piece.end * SECONDS_PER_TIMESTAMP,
            "tokens": list(piece.tokens),
        }
        for piece in (pieces or (Piece(0, 0, ()),))
    ]


def _read(segment: dict[str, Any], base: float, frames: int) -> Timed:
    def seconds(value: float) -> float:
        return min(max(float(value) - base, 0.0), frames / FRAMES_PER_SECOND)

    words = tuple(
        Timed(seconds(word["start"]), seconds(word["end"]), word["word"], float(word["probability"]))
        for word in segment["words"]
    )
    return Timed(seconds(segment["start"]), seconds(segment["end"]), words=words)
