"""Items through the decoder: all of a batch at once, and those that came out badly once more alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faster_whisper.transcribe import TranscriptionOptions, get_compression_ratio

from sttd.part import Options
from sttd.worker.decoding import judge
from sttd.worker.decoding.items import Item, stack
from sttd.worker.decoding.judge import Layout, Limits, Score, Verdict
from sttd.worker.decoding.voice import Voice, Voices, max_length, most_tokens

# faster-whisper's defaults
_BEST_OF = 5  # candidates at a temperature above 0
_MAX_INITIAL_TIMESTAMP = 1.0  # seconds


@dataclass(frozen=True)
class Heard:
    """What the model made of one item."""

    item: Item
    voice: Voice
    tokens: Sequence[int]
    score: Score
    temperature: float


class Generator:
    """The decoder half of the model, with a job's options."""

    def __init__(self, whisper: Any, voices: Voices, options: Options) -> None:
        self._whisper = whisper
        self._voices = voices
        self._options = options
        self._temperatures = options.temperatures or (0.0,)
        self._most_tokens = most_tokens(options)
        self._limits = Limits(
            options.compression_ratio_threshold, options.log_prob_threshold, options.no_speech_threshold
        )

    def listen(self, items: Sequence[Item], encoded: Any) -> list[tuple[Heard, Layout]]:
        """Decode items that have their voices, and judge each; the layout is empty where nothing was said."""
        return [self._judged(heard) for heard in self._together(items, encoded)]

    def _together(self, items: Sequence[Item], encoded: Any) -> list[Heard]:
        """One pass over all items, at the first temperature."""
        temperature = self._temperatures[0]
        voices = [item.voice for item in items if item.voice is not None]
        sampling = {"beam_size": self._options.beam_size}
        if temperature > 0:
            sampling = {"beam_size": 1, "num_hypotheses": _BEST_OF, "sampling_topk": 0}
        results = self._whisper.model.generate(
            encoded,
            [voice.prompt for voice in voices],
            max_length=max_length(len(voices[0].prompt), self._most_tokens),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=self._voices.suppressed,
            max_initial_timestamp_index=round(_MAX_INITIAL_TIMESTAMP / self._whisper.time_precision),
            sampling_temperature=temperature,
            **sampling,
        )
        return [
            self._heard(item, voice, result, temperature)
            for item, voice, result in zip(items, voices, results, strict=True)
        ]

    def _heard(self, item: Item, voice: Voice, result: Any, temperature: float) -> Heard:
        tokens = result.sequences_ids[0]
        # scores are means over the tokens (length penalty 1); Whisper's mean counts the end mark too
        logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        ratio = get_compression_ratio(voice.tokenizer.decode(tokens).strip())
        return Heard(item, voice, tokens, Score(logprob, result.no_speech_prob, ratio), temperature)

    def _judged(self, heard: Heard) -> tuple[Heard, Layout]:
        verdict = judge.judge(heard.score, self._limits)
        layout = self._lay_out(heard)
        # halves are decoded anyway where the token limit cut off what follows: no guessing at the whole before that
        if verdict is Verdict.AGAIN and not layout.split and len(self._temperatures) > 1:
            heard = self._again(heard)
            verdict = judge.judge(heard.score, self._limits)
            layout = self._lay_out(heard)
        return heard, Layout(()) if verdict is Verdict.EMPTY else layout

    def _lay_out(self, heard: Heard) -> Layout:
        full = len(heard.tokens) >= self._most_tokens
        return judge.lay_out(heard.tokens, self._voices.begin, heard.item.frames, full=full)

    def _again(self, first: Heard) -> Heard:
        """Decode one item alone, at the higher temperatures, and take the best of all."""
        tokenizer, prompt = first.voice.tokenizer, first.voice.prompt
        result, _, temperature, _ = self._whisper.generate_with_fallback(
            self._whisper.encode(stack([first.item])), prompt, tokenizer, self._fallback(len(prompt))
        )
        second = self._heard(first.item, first.voice, result, temperature)
        if judge.judge(second.score, self._limits) is not Verdict.AGAIN:
            return second
        return second if judge.better(first.score, second.score, self._limits) else first

    def _fallback(self, prompt: int) -> TranscriptionOptions:
        """faster-whisper's options for `generate_with_fallback`; the first temperature was tried with the batch."""
        options = self._options
        return TranscriptionOptions(
            beam_size=options.beam_size,
            best_of=_BEST_OF,
            patience=1,
            length_penalty=1,
            repetition_penalty=1,
            no_repeat_ngram_size=0,
            log_prob_threshold=options.log_prob_threshold,
            no_speech_threshold=options.no_speech_threshold,
            compression_ratio_threshold=options.compression_ratio_threshold,
            condition_on_previous_text=False,
            prompt_reset_on_temperature=0.5,
            temperatures=list(self._temperatures[1:]),
            initial_prompt=None,
            prefix=None,
            suppress_blank=True,
            suppress_tokens=self._voices.suppressed,
            without_timestamps=False,
            max_initial_timestamp=_MAX_INITIAL_TIMESTAMP,
            word_timestamps=False,
            prepend_punctuations="",
            append_punctuations="",
            multilingual=False,
            max_new_tokens=max_length(prompt, self._most_tokens) - prompt,
            clip_timestamps=[],
            hallucination_silence_threshold=None,
            hotwords=None,
        )
