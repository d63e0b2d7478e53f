"""Runs items through the decoder: all of a batch at once, then each one with a bad result again, alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sttd.part import Options
from sttd.worker.decoding import judge
from sttd.worker.decoding.items import Item, stack
from sttd.worker.decoding.judge import FRAMES_PER_SECOND, Layout, Limits, Score, Verdict
from sttd.worker.decoding.repetition import compression_ratio
from sttd.worker.decoding.voice import Voice, Voices, max_length, most_tokens

# faster-whisper's defaults
_BEST_OF = 5  # candidates at a temperature above 0
_MAX_INITIAL_TIMESTAMP = 1.0  # seconds
# No language takes more tokens: Burmese and Khmer have three a letter, and some 15 letters a second. Without this bound a loop
# in a clip of a second goes on up to the model's limit, at each temperature five times side by side.
_FEWEST, _PER_SECOND = 20, 60  # tokens
# For a loop, on top of `repetition_penalty`: less did not end all loops, more changed nothing.
_PENALTY = 0.1


@dataclass(frozen=True)
class Heard:
    """What the model made of one item."""

    item: Item
    voice: Voice
    layout: Layout  # empty where nothing was said
    score: Score
    temperature: float


class Generator:
    """The decoder half of the model, with a job's options.

    The fallback to higher temperatures is faster-whisper's `generate_with_fallback`, with these differences:

    - Loops are recognised by characters (repetition.py), and the best of all results is chosen by `judge.best`.
    - The first result alone decides whether an item is silent. A guess at a higher temperature has a low mean log probability
      whatever was said, so by its score, which faster-whisper uses, speech would be taken for silence.
    - A loop is first decoded once more with a penalty on what was said. In the loops that were seen (short Thai clips), four
      of five temperatures looped again, and with the penalty none did.
    """

    def __init__(self, whisper: Any, voices: Voices, options: Options) -> None:
        self._whisper = whisper
        self._voices = voices
        self._options = options
        self._temperatures = options.temperatures or (0.0,)
        self._most_tokens = most_tokens(options)
        self._limits = Limits(options.compression_ratio, options.log_prob, options.no_speech)

    def listen(self, items: Sequence[Item], encoded: Any) -> list[Heard]:
        """Decode items that have their voices, then each one with a bad result again, alone."""
        return [self._judged(heard) for heard in self._decode(items, encoded, self._temperatures[0])]

    def _judged(self, first: Heard) -> Heard:
        verdict = judge.judge(first.score, self._limits)
        if verdict is Verdict.EMPTY:
            return replace(first, layout=Layout(()))
        # where the token limit cut the text off, the halves are decoded next: guesses at the whole would be wasted
        if verdict is Verdict.AGAIN and not first.layout.split:
            return self._again(first)
        return first

    def _again(self, first: Heard) -> Heard:
        """Decode one item alone in other ways until a result is good; the best of all where none is."""
        tried = [first]
        others = [(temperature, 0.0) for temperature in self._temperatures[1:]]
        if judge.is_loop(first.score, self._limits):
            others.insert(0, (self._temperatures[0], _PENALTY))
        encoded = self._whisper.encode(stack([first.item])) if others else None
        for temperature, penalty in others:
            tried += self._decode([first.item], encoded, temperature, penalty)
            if judge.judge(tried[-1].score, self._limits) is Verdict.KEEP:
                return tried[-1]
        return tried[judge.best([heard.score for heard in tried], self._limits)]

    def _decode(self, items: Sequence[Item], encoded: Any, temperature: float, penalty: float = 0.0) -> list[Heard]:
        """One pass over all items; with a penalty for repetitions on top of the configured one."""
        voices = [item.voice for item in items if item.voice is not None]
        longest = max(item.frames for item in items)
        most = min(self._most_tokens, _FEWEST + longest * _PER_SECOND // FRAMES_PER_SECOND)
        sampling = {"beam_size": self._options.beam_size}
        if temperature > 0:
            sampling = {"beam_size": 1, "num_hypotheses": _BEST_OF, "sampling_topk": 0}
        results = self._whisper.model.generate(
            encoded,
            [voice.prompt for voice in voices],
            max_length=max_length(len(voices[0].prompt), most),
            repetition_penalty=self._options.repetition_penalty + penalty,
            no_repeat_ngram_size=self._options.no_repeat_ngram_size,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=self._voices.suppressed,
            max_initial_timestamp_index=round(_MAX_INITIAL_TIMESTAMP / self._whisper.time_precision),
            sampling_temperature=temperature,
            **sampling,
        )
        return [
            self._heard(item, voice, result, temperature, most)
            for item, voice, result in zip(items, voices, results, strict=True)
        ]

    def _heard(self, item: Item, voice: Voice, result: Any, temperature: float, most: int) -> Heard:
        tokens = result.sequences_ids[0]
        full = len(tokens) >= most
        layout = judge.lay_out(tokens, self._voices.begin, item.frames, full=full)
        # scores are means over the tokens (length penalty 1); Whisper's mean counts the end mark too
        logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        kept = [token for piece in layout.pieces for token in piece.tokens] or tokens
        text = voice.tokenizer.decode(kept).strip()
        hasty = judge.is_hasty(text, item.frames)
        score = Score(logprob, result.no_speech_prob, compression_ratio(text), full, hasty)
        return Heard(item, voice, layout, score, temperature)
