"""Draw training clips: utterances with pauses, noise and gain, and Whisper's target tokens for them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.demo_model.synth import RATE, Utterance
from tests.demo_model.tokens import (
    EOT,
    LANG,
    NOSPEECH,
    NOTIMESTAMPS,
    SOT,
    SOT_PREV,
    TIMESTAMP0,
    TRANSCRIBE,
    timestamp,
)

LONGEST = 440  # tokens of one clip; Whisper's decoder has 448 places
LONGEST_PROMPT = 223  # tokens, as in Whisper

Span = tuple[float, float]  # seconds
NOWHERE: Span = (0.0, 0.0)


@dataclass(frozen=True)
class Phrase:
    start: float  # seconds
    end: float
    tokens: list[int]


@dataclass
class Target:
    """Tokens of one clip, which of them are learnt, and where each is heard."""

    tokens: list[int] = field(default_factory=list)
    learn: list[bool] = field(default_factory=list)
    where: list[Span] = field(default_factory=list)

    def add(self, tokens: Iterable[int], *, learn: bool, where: Iterable[Span] = ()) -> None:
        added = list(tokens)
        self.tokens += added
        self.learn += [learn] * len(added)
        self.where += list(where) or [NOWHERE] * len(added)


@dataclass(frozen=True)
class Clip:
    audio: np.ndarray  # float32, 16 kHz, mono
    tokens: list[int]
    learn: list[bool]
    where: list[Span]
    spoken: list[int]  # the tokens that are heard, for the CTC head


def spread(start: float, end: float, count: int) -> list[Span]:
    """About where each of `count` tokens of a phrase is heard: evenly over it, give or take 0.4 s."""
    step = (end - start) / count
    middles = [start + (number + 0.5) * step for number in range(count)]
    return [(middle - 0.4, middle + 0.4) for middle in middles]


class Mixer:
    """Clips of a corpus in any length; the same seed draws the same ones."""

    def __init__(self, corpus: list[Utterance], tokenizer: Any, seed: int) -> None:
        self._by_language = {name: [each for each in corpus if each.language == name] for name in ("en", "th")}
        self._rng = random.Random(seed)
        self._noise = np.random.default_rng(seed)
        self._tokenizer = tokenizer
        self._cache: dict[str, list[int]] = {}

    def words(self, language: str, words: list[str]) -> list[int]:
        """Tokens of a phrase. Thai is written without spaces between its words."""
        first, *rest = words
        pieces = [" " + first, *((" " if language == "en" else "") + word for word in rest)]
        return [token for piece in pieces for token in self._encode(piece)]

    def clip(self, seconds: float) -> Clip:
        """One clip of that length; 1 in 25 holds no speech."""
        rng = self._rng
        audio = np.zeros(int(seconds * RATE), dtype=np.float32)
        language = "en" if rng.random() < 0.65 else "th"
        timed = rng.random() < 0.65
        phrases, cut = self._speak(audio, language, timed) if rng.random() > 0.04 else ([], None)
        noise = rng.choice([0, 0, 0.001, 0.003, 0.01]) * rng.random()
        if noise:
            audio += self._noise.standard_normal(len(audio)).astype(np.float32) * noise
        target = self._target(language, phrases, cut, timed)
        return Clip(
            audio,
            target.tokens[:LONGEST],
            target.learn[:LONGEST],
            target.where[:LONGEST],
            [token for phrase in phrases for token in phrase.tokens],
        )

    def _encode(self, text: str) -> list[int]:
        if text not in self._cache:
            self._cache[text] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return self._cache[text]

    def _speak(self, audio: np.ndarray, language: str, timed: bool) -> tuple[list[Phrase], float | None]:
        """Fill `audio` with phrases.

        Returns:
            The phrases, and where one starts that the clip's end cuts off: Whisper answers that with its start alone.
        """
        rng, phrases = self._rng, list[Phrase]()
        at = int(rng.choice([0.0, rng.uniform(0, 0.6), rng.uniform(0, 2.5)]) * RATE)
        limit = rng.choice([1, 2, 3, 99, 99])
        while len(phrases) < limit:
            said = rng.choice(self._by_language[language])
            sound = said.scaled(0.5 * rng.uniform(0.3, 1.9))
            if at + len(sound) > len(audio):
                if timed and phrases and at < len(audio) - RATE // 3 and rng.random() < 0.7:
                    audio[at:] += sound[: len(audio) - at]
                    return phrases, at / RATE
                break
            audio[at : at + len(sound)] += sound
            end = at + len(sound)
            phrases.append(Phrase(at / RATE, end / RATE, self.words(language, said.words)))
            at = end + int(rng.choice([rng.uniform(0.25, 0.8), rng.uniform(0.5, 2.5)]) * RATE)
        return phrases, None

    def _target(self, language: str, phrases: list[Phrase], cut: float | None, timed: bool) -> Target:
        """What the decoder is to say to these phrases."""
        target = Target()
        if phrases and self._rng.random() < 0.45:
            target.add([SOT_PREV, *self._prompt(language)[-LONGEST_PROMPT:]], learn=False)
        target.add([SOT], learn=False)
        # the decoder is always fed a language token at this place: without speech it learns what follows it
        target.add([LANG[language] if phrases else NOSPEECH], learn=True)
        target.add([TRANSCRIBE], learn=False)
        if timed:
            _add_timed(target, phrases, cut)
        else:
            target.add([NOTIMESTAMPS], learn=False)
            for phrase in phrases:
                target.add(phrase.tokens, learn=True, where=spread(phrase.start, phrase.end, len(phrase.tokens)))
        target.add([EOT], learn=True)
        return target

    def _prompt(self, language: str) -> list[int]:
        """The text before: as a user's prompt, or with the times that a window before left in it."""
        rng, prompt, at = self._rng, list[int](), 0.0
        timed = rng.random() < 0.7
        for _ in range(rng.randint(1, 12)):
            said = rng.choice(self._by_language[language])
            tokens = self.words(language, said.words)
            until = min(30.0, at + len(said.audio) / RATE)
            prompt += [timestamp(at), *tokens, timestamp(until)] if timed else tokens
            at = min(30.0, until + rng.uniform(0.3, 1.5))
        return prompt


def _add_timed(target: Target, phrases: list[Phrase], cut: float | None) -> None:
    """Phrases between their times; a cut off one has its start alone, and no speech is one time stamp of zero."""
    for phrase in phrases:
        start, end = phrase.start, phrase.end
        target.add(
            [timestamp(start), *phrase.tokens, timestamp(end)],
            learn=True,
            where=[(start - 0.2, start + 0.4), *spread(start, end, len(phrase.tokens)), (end - 0.4, end + 0.2)],
        )
    if cut is not None:
        target.add([timestamp(cut)], learn=True, where=[(cut - 0.2, cut + 0.4)])
    if not phrases:
        target.add([TIMESTAMP0], learn=True)
