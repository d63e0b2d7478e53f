"""Decodes a batch of windows at once, with the quality of one window at a time.

faster-whisper's `BatchedInferencePipeline` loses what follows a window's last pair of timestamps or its token limit, knows no
silence, and never decodes a bad window again. Here every window of a batch is judged as Whisper judges it (judge.py), and its
stretches that have no text yet go through the model in further rounds, together with those of the others, until nothing is
missing. Windows share no state, so that a resumed part decodes them as an undisturbed one.

This and its neighbours are built on inner methods of faster-whisper's WhisperModel (encode, add_word_timestamps), hence
the narrow version range in pyproject.toml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sttd.languages import main_language
from sttd.part import Chunk, Options, Place
from sttd.worker.decoding.generate import Generator, Heard
from sttd.worker.decoding.items import Item, Prepared, encode, whole
from sttd.worker.decoding.judge import Piece
from sttd.worker.decoding.languages import Languages
from sttd.worker.decoding.places import Places
from sttd.worker.decoding.segments import bridges, is_kept, is_long, segments
from sttd.worker.decoding.voice import Spoken, Voices
from sttd.worker.decoding.words import Line, Timed, time_words, untimed
from sttd.worker.model import LoadedModel
from sttd.worker.speech.windows import Window

NOTHING = "und"  # the language of silence


@dataclass(frozen=True)
class _Found:
    """An item with text, and the times of its pieces."""

    heard: Heard
    pieces: list[tuple[Piece, Timed]]


@dataclass
class _Window:
    """A window of the batch, and what has been found in it."""

    window: Window
    places: Places
    spoken: Spoken | None  # None: the language is found section by section, or all is silent
    found: list[_Found] = field(default_factory=list)


class Decoder:
    """The decoding of one part. It remembers nothing from one batch to the next.

    Args:
        model: the one that is loaded.
        options: of the job.
        known: by channel, the language that an earlier attempt or part 0 has decided.

    Raises:
        PartFailed: the model does not know a language that is asked for.
    """

    def __init__(self, model: LoadedModel, options: Options, known: Mapping[int, Place] | None = None) -> None:
        self._model = model.loaded.model
        self._whisper = model.whisper
        self._options = options
        voices = Voices(model, options)
        self._languages = Languages(voices, model.whisper, options, known)
        # what a person should know about the options
        self.remarks: list[str] = [remark for remark in (voices.remark, self._languages.remark) if remark]
        self._generator = Generator(model.whisper, voices, options)

    def ready(self, windows: Iterable[Prepared]) -> Iterator[Prepared]:
        """The windows with the language of their channel, if it has one; finding it may need the windows after them."""
        return self._languages.decided(windows)

    @property
    def knows_language(self) -> bool:
        """Whether no language is decided for the recording by hearing its first windows."""
        return self._languages.are_fixed

    def decode(self, batch: Sequence[Prepared]) -> tuple[Chunk, ...]:
        """The chunks of a batch of windows that are `ready`, in order.

        Raises:
            RuntimeError: CTranslate2's; see `model.is_gpu_memory`.
        """
        windows = [_Window(prepared.window, Places(prepared.window.spans), prepared.spoken) for prepared in batch]
        items = self._languages.divided([item for index, p in enumerate(batch) for item in whole(index, p)])
        size = max(1, self._options.batch_size)
        while items:
            owed: list[Item] = []
            for first in range(0, len(items), size):
                owed += self._round(items[first : first + size], windows)
            items = owed
        return tuple(self._chunk(window) for window in windows)

    def _round(self, items: Sequence[Item], windows: Sequence[_Window]) -> list[Item]:
        """Decode items together: put the text into their windows, and return the stretches that have none yet."""
        encoded = encode(self._whisper, items)
        results = self._generator.listen(items, encoded)
        for heard, times in zip(results, self._times(encoded, results, windows), strict=True):
            pieces = [pair for pair in zip(heard.layout.pieces, times, strict=True) if is_kept(heard, pair[0])]
            if pieces:
                windows[heard.item.window].found.append(_Found(heard, pieces))
        return [item for heard in results for item in heard.item.owed(heard.layout)]

    def _times(self, encoded: Any, results: Sequence[Heard], windows: Sequence[_Window]) -> list[list[Timed]]:
        """The pieces' times, with their words where these are wanted, or needed to divide a piece."""
        lines = [Line(heard.voice, heard.item.frames, heard.layout.pieces) for heard in results]
        if not self._options.word_timestamps:
            lines = [
                line
                if any(
                    bridges(heard, piece, windows[heard.item.window].places) or is_long(heard, piece, self._options.cue)
                    for piece in line.pieces
                )
                else Line(line.voice, line.frames, ())
                for line, heard in zip(lines, results, strict=True)
            ]
        timed = time_words(self._whisper, encoded, lines)
        return [
            pieces or [untimed(piece) for piece in heard.layout.pieces]
            for pieces, heard in zip(timed, results, strict=True)
        ]

    def _chunk(self, window: _Window) -> Chunk:
        window.found.sort(key=lambda found: found.heard.item.offset)
        translated = self._options.task == "translate"
        made = tuple(
            segment
            for found in window.found
            for piece, timed in found.pieces
            for segment in segments(
                found.heard,
                piece,
                timed,
                window.places,
                language="en" if translated else found.heard.voice.language,
                channel=window.window.channel,
                with_words=self._options.word_timestamps or is_long(found.heard, piece, self._options.cue),
            )
        )
        language = main_language(made) or NOTHING
        spoken = window.spoken if window.spoken is not None and window.spoken.final else None
        return Chunk(
            index=window.window.index,
            start=window.window.start,
            end=window.window.end,
            segments=made,
            language=language,
            language_probability=self._probability(window, language),
            model=self._model,
            spoken=spoken.voice.language if spoken else "",
            spoken_probability=spoken.probability if spoken else 0.0,
            levels=window.window.levels,
            channel=window.window.channel,
        )

    def _probability(self, window: _Window, language: str) -> float:
        """The probability of a chunk's language, in its longest stretch. A translation is English for certain."""
        if window.found and self._options.task == "translate":
            return 1.0
        items = [found.heard.item for found in window.found if found.heard.voice.language == language]
        return max(items, key=lambda item: item.frames).probability if items else 0.0
