"""A batch of windows through the model at once, with the quality of one window at a time.

faster-whisper's `BatchedInferencePipeline` loses what follows a window's last pair of timestamps or its token limit,
knows no silence, and never decodes a bad window again. Here every window of a batch is judged as Whisper judges it
(judge.py), and what it still owes goes through the model in further rounds, together with what the others owe, until
nothing is missing. Windows share no state, so that a resumed part decodes them as an undisturbed one.

This and its neighbours are built on inner methods of faster-whisper's WhisperModel (encode, generate_with_fallback,
add_word_timestamps), hence the narrow version range in pyproject.toml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sttd.part import Chunk, Options, Segment, Word
from sttd.worker.generate import Generator, Heard
from sttd.worker.items import Item, Prepared, stack
from sttd.worker.judge import FRAMES_PER_SECOND, Layout, Piece
from sttd.worker.languages import Languages
from sttd.worker.model import LoadedModel
from sttd.worker.places import Places
from sttd.worker.voice import Voices
from sttd.worker.windows import Window
from sttd.worker.words import Line, Timed, time_words, untimed

NOTHING = "und"  # the language of silence
_LEAST_SEGMENT = 0.1  # seconds that a segment keeps whose time stamps lie behind the end of the audio


@dataclass(frozen=True)
class _Found:
    """An item with text, and the times of its pieces."""

    heard: Heard
    pieces: list[tuple[Piece, Timed]]


class Decoder:
    """The decoding of one part. It remembers the language, and nothing else, from one batch to the next.

    Args:
        model: the one that is loaded.
        options: of the job.
        language: found out by an earlier attempt at the part; None: not known.
        probability: that of `language`.

    Raises:
        PartFailed: the model does not know a language that is asked for.
    """

    def __init__(
        self, model: LoadedModel, options: Options, language: str | None = None, probability: float | None = None
    ) -> None:
        self._model = model.loaded.model
        self._whisper = model.whisper
        self._options = options
        voices = Voices(model, options)
        self._languages = Languages(voices, model.whisper, options, language, probability)
        # what a person should know about the options
        self.remarks: list[str] = [remark for remark in (voices.remark, self._languages.remark) if remark]
        self._generator = Generator(model.whisper, voices, options)

    def decode(self, batch: Sequence[Prepared]) -> tuple[Chunk, ...]:
        """The chunks of a batch of windows, in order.

        Raises:
            RuntimeError: CTranslate2's; see `model.is_gpu_memory`.
        """
        chunks: list[Chunk] = []
        while len(chunks) < len(batch):
            rest = batch[len(chunks) :]
            if not self._languages.settled:  # the first speech goes alone: its language is that of all others
                spoken = (count for count, prepared in enumerate(rest, 1) if prepared.features is not None)
                rest = rest[: next(spoken, len(rest))]
            chunks += self._windows(rest)
        return tuple(chunks)

    def _windows(self, batch: Sequence[Prepared]) -> list[Chunk]:
        found: list[list[_Found]] = [[] for _ in batch]
        items = [Item(index, 0, p.features) for index, p in enumerate(batch) if p.features is not None]
        size = max(1, self._options.batch_size)
        while items:
            owed: list[Item] = []
            for first in range(0, len(items), size):
                owed += self._round(items[first : first + size], found)
            items = owed
        return [self._chunk(prepared.window, parts) for prepared, parts in zip(batch, found, strict=True)]

    def _round(self, items: Sequence[Item], found: list[list[_Found]]) -> list[Item]:
        """Decode items together: what was said goes to `found`, what is still owed is returned."""
        encoded = self._whisper.encode(stack(items))
        self._languages.assign(items, encoded)
        results = self._generator.listen(items, encoded)
        for (heard, layout), times in zip(results, self._times(encoded, results), strict=True):
            pieces = [pair for pair in zip(layout.pieces, times, strict=True) if self._says(heard, pair[0])]
            if pieces:
                self._languages.settle(heard.voice, heard.item.probability)
                found[heard.item.window].append(_Found(heard, pieces))
        return [item for heard, layout in results for item in heard.item.owed(layout)]

    def _times(self, encoded: Any, results: Sequence[tuple[Heard, Layout]]) -> list[list[Timed]]:
        if not self._options.word_timestamps:
            return [[untimed(piece) for piece in layout.pieces] for _, layout in results]
        lines = [Line(heard.voice, heard.item.frames, layout.pieces) for heard, layout in results]
        return time_words(self._whisper, encoded, lines)

    @staticmethod
    def _says(heard: Heard, piece: Piece) -> bool:
        """Whisper drops a piece without text, and one that takes no time."""
        return piece.start != piece.end and bool(heard.voice.tokenizer.decode(list(piece.tokens)).strip())

    def _chunk(self, window: Window, found: list[_Found]) -> Chunk:
        found.sort(key=lambda part: part.heard.item.offset)
        places = Places(window.spans)
        segments = tuple(
            self._segment(part.heard, piece, timed, places) for part in found for piece, timed in part.pieces
        )
        return Chunk(
            index=window.index,
            start=window.start,
            end=window.end,
            segments=segments,
            language=segments[0].language if segments else NOTHING,
            language_probability=found[0].heard.item.probability if found else 0.0,
            model=self._model,
        )

    def _segment(self, heard: Heard, piece: Piece, timed: Timed, places: Places) -> Segment:
        offset, length = (frames / FRAMES_PER_SECOND for frames in (heard.item.offset, heard.item.frames))
        words = tuple(
            Word(*places.word(offset + word.start, offset + word.end), word.word, word.probability)
            for word in timed.words
        )
        last = min(timed.end, length)
        start, end = places.segment(offset + min(timed.start, max(0.0, last - _LEAST_SEGMENT)), offset + last)
        if words:
            start, end = words[0].start, max(words[-1].end, words[0].start)
        return Segment(
            start=start,
            end=end,
            text=heard.voice.tokenizer.decode(list(piece.tokens)).strip(),
            avg_logprob=heard.score.avg_logprob,
            compression_ratio=heard.score.compression_ratio,
            no_speech_prob=heard.score.no_speech_prob,
            temperature=heard.temperature,
            language="en" if self._options.task == "translate" else heard.voice.language,
            words=words,
        )
