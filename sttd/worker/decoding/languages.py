"""Which language each item is decoded in: configured, known, detected once, or detected by window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sttd.part import Cause, Options
from sttd.worker.decoding.items import Item
from sttd.worker.decoding.voice import Voice, Voices
from sttd.worker.errors import PartFailed


class Languages:
    """The languages of one part.

    Detected by window among `options.languages`, where these are given; and by window among all for a translation,
    whose chunks do not tell the next attempt what was spoken. Else detected once, by the first window with speech.

    Raises:
        PartFailed: the model does not know a language that is asked for.
    """

    def __init__(
        self, voices: Voices, whisper: Any, options: Options, known: str | None, probability: float | None
    ) -> None:
        self._voices = voices
        self._whisper = whisper
        self._among = () if options.language else options.languages
        self._by_window = bool(self._among) or options.task == "translate"
        self._fixed: tuple[Voice, float] | None = None
        self.remark = ""  # what a person should know about the languages that were asked for
        if not whisper.model.is_multilingual:
            self._fixed = self._voice("en"), 1.0
            if {options.language, *self._among} - {"", "en"}:
                self.remark = "the model knows English alone; transcribe.language and transcribe.languages are ignored"
        elif options.language:
            self._fixed = self._voice(options.language), 1.0
        elif known is not None and not self._by_window:
            self._fixed = self._voice(known), 1.0 if probability is None else probability
        for language in self._among if self._fixed is None else ():
            self._voice(language)

    @property
    def settled(self) -> bool:
        """Whether windows can be decoded together: none of them has to wait for the language of another."""
        return self._by_window or self._fixed is not None

    def settle(self, voice: Voice, probability: float) -> None:
        """Speech was understood in `voice`: where the language is detected once, this is it."""
        if not self.settled:
            self._fixed = voice, probability

    def assign(self, items: Sequence[Item], encoded: Any) -> None:
        """Give each item that has none its voice, by what the encoder made of it."""
        if self._fixed is not None:
            for item in items:
                item.voice, item.probability = self._fixed
        elif any(item.voice is None for item in items):
            for item, ranked in zip(items, self._whisper.model.detect_language(encoded), strict=True):
                if item.voice is None:
                    language, item.probability = self._choose(ranked)
                    item.voice = self._voice(language)

    def _choose(self, ranked: Sequence[tuple[str, float]]) -> tuple[str, float]:
        """The likeliest language with its probability: that among `languages` alone, where these are given."""
        found = [(token[2:-2], float(probability)) for token, probability in ranked]
        if not self._among:
            return found[0]
        allowed = [(language, probability) for language, probability in found if language in self._among]
        total = sum(probability for _, probability in allowed)
        language, probability = max(allowed, key=lambda pair: pair[1])
        return language, probability / total if total > 0 else 1 / len(allowed)

    def _voice(self, language: str) -> Voice:
        try:
            return self._voices.get(language)
        except ValueError:
            key = "transcribe.languages" if self._among else "transcribe.language"
            raise PartFailed(
                Cause.CONFIGURATION,
                f"the model does not know the language {language!r}: set {key}, or model.name to one that does",
            ) from None
