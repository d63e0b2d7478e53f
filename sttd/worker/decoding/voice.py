"""What the model needs to decode one language: a tokenizer, and the prompt that every window of the job starts with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

from sttd.part import Options
from sttd.worker.model import LoadedModel

# Whisper writes at most half of its context for a window; CTranslate2's generate does the same by itself
MOST_TOKENS = 224
CONTEXT = 448  # tokens of the decoder, prompt and output together


@dataclass(frozen=True)
class Voice:
    """A language to decode in."""

    language: str  # spoken; the text's is "en" where it is translated
    tokenizer: Any  # faster_whisper.tokenizer.Tokenizer
    prompt: list[int]


@dataclass(frozen=True)
class Spoken:
    """What is spoken, and how likely that is."""

    voice: Voice
    probability: float  # 1 where the language was configured
    final: bool  # for the whole recording; else a guess for one window


def most_tokens(options: Options) -> int:
    """The most tokens that one window's text may have: `max_new_tokens`, or as many as the model can."""
    return min(options.max_new_tokens or MOST_TOKENS, MOST_TOKENS)


def max_length(prompt: int, tokens: int) -> int:
    """The `max_length` by which CTranslate2 allows exactly `tokens`: min(max_length // 2, max_length - prompt + 1).

    Args:
        prompt: tokens of the prompt.
        tokens: wanted; prompt and tokens together are within the context (see `Voices`).
    """
    return max(2 * tokens, tokens + prompt - 1)


class Voices:
    """The voices of one job, each made when it is first needed.

    The prompt is the same for every window: hotwords, then the initial prompt, then Whisper's marks. Together they are limited
    so that `most_tokens` still fit into the context behind them. Hotwords get half of that room, or what the initial prompt
    leaves if that is more, and keep their beginning. The initial prompt gets the rest and keeps its end, as in Whisper.
    """

    def __init__(self, model: LoadedModel, options: Options) -> None:
        self._model = model
        self._options = options
        self._voices: dict[str, Voice] = {}
        first = self._tokenizer("en")
        self.begin: int = first.timestamp_begin
        self.start: int = first.sot  # <|startoftranscript|>
        if model.suppressed is None:  # takes a millisecond, and is the same for all languages
            model.suppressed = list(get_suppressed_tokens(first, [-1]) or ())
        self.suppressed = model.suppressed
        self.remark = ""  # what a person should know about the prompt
        self._context = self._limit(first)

    def get(self, language: str) -> Voice:
        """The voice for a language; an English-only model has that of English, whatever is asked for.

        Raises:
            ValueError: the model does not know the language.
        """
        if language not in self._voices:
            tokenizer = self._tokenizer(language)
            if tokenizer.language is None and self._model.whisper.model.is_multilingual:  # Cantonese came with large-v3
                raise ValueError(f"no language {language!r}")
            self._voices[language] = Voice(language, tokenizer, [*self._context, *tokenizer.sot_sequence])
        return self._voices[language]

    def _tokenizer(self, language: str) -> Any:
        whisper = self._model.whisper
        return Tokenizer(whisper.hf_tokenizer, whisper.model.is_multilingual, self._options.task, language)

    def _limit(self, tokenizer: Any) -> list[int]:
        """The tokens before Whisper's marks."""
        # of the context, one token for the mark before them
        room = CONTEXT - most_tokens(self._options) - len(tokenizer.sot_sequence) - 1
        hotwords, prompt = (
            tokenizer.encode(" " + text.strip()) if text.strip() else []
            for text in (self._options.hotwords, self._options.initial_prompt)
        )
        kept = hotwords[: max(room // 2, room - len(prompt))]
        left = room - len(kept)
        told = kept + prompt[max(0, len(prompt) - left) :]
        given = len(hotwords) + len(prompt)
        if len(told) < given:
            self.remark = (
                f"transcribe.initial_prompt and transcribe.hotwords are {given} tokens long, but there is room for {room}: "
                "the rest is left out"
            )
        return [tokenizer.sot_prev, *told] if told else []
