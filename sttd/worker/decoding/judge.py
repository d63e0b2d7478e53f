"""The judgement of one decoded window: keep it, decode it again, or call it silence; and where to go on in it.

The rules are Whisper's (openai/whisper `transcribe.py`, as faster-whisper 1.2 has them in `generate_with_fallback` and
`generate_segments`), which the batched path leaves out. Where Whisper would lose speech at the token limit, the rules
here go on instead; each such place says so. Nothing here does any I/O.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

FRAMES_PER_SECOND = 100  # of features
FRAMES_PER_TIMESTAMP = 2  # a timestamp token counts 20 ms

# Going on by less than this would decode nearly the same audio again; it also bounds the rounds for a window (60).
LEAST_STEP = 50  # frames
# What is shorter than this holds no word.
LEAST_REST = 10  # frames
LEVEL = 10  # frames over which loudness is taken
# Whisper takes a single timestamp at the end for "no speech after it". A window here is speech that was joined together,
# so that a rest as long as this holds some, and the model only stopped early.
LONG_REST = 300  # frames
# A rest shorter than this is not worth a round of its own where it is hushed as well.
SHORT_REST = 100  # frames
# Hushed is this far below the speech: 30 dB, for 1.0 of the features is 40 dB. Quiet ends of words are not so far below.
HUSHED = 0.75
# Nobody speaks faster than this: Thai and English reach 25. A text of `FEW` characters, a word or two, is never too fast.
FASTEST = 40  # characters a second
FEW = 20  # characters
# A loop this many times over the limit repeats its phrase more than about ten times: nobody does, songs included.
ENDLESS = 3
# Halves of less than this hold no 224 tokens of speech: more than that is a loop, not speech.
LEAST_HALF = 200  # frames


@dataclass(frozen=True, slots=True)
class Limits:
    """`Options.compression_ratio` and so on."""

    compression_ratio: float
    log_prob: float
    no_speech: float


@dataclass(frozen=True, slots=True)
class Score:
    """How sure the model was of one window as a whole."""

    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float  # of all the text that is kept; subsegment by subsegment, loops would go unnoticed
    endless: bool = False  # only the token limit ended the text
    hasty: bool = False  # the text is longer than anybody says in the time


class Verdict(enum.Enum):
    KEEP = enum.auto()
    AGAIN = enum.auto()  # alone, at higher temperatures
    EMPTY = enum.auto()  # nothing was said


def is_loop(score: Score, limits: Limits) -> bool:
    return score.compression_ratio > limits.compression_ratio


def is_hasty(text: str, frames: int) -> bool:
    """Whether a text is longer than anybody can say in so many frames."""
    return len(text) > max(FEW, FASTEST * frames / FRAMES_PER_SECOND)


def is_invented(score: Score, limits: Limits) -> bool:
    """Whether nobody said this: too much for the time, or a loop without end. Each repetition makes the model surer."""
    endless = score.endless or score.compression_ratio > ENDLESS * limits.compression_ratio
    return score.hasty or (is_loop(score, limits) and endless)


def judge(score: Score, limits: Limits) -> Verdict:
    """Whisper's rules: a window is silent if the model says so and is unsure of its text; loops and guesses are decoded again.

    In Whisper the model counts as sure of an endless loop: noise becomes "Thank you" fifty times. Here it counts as unsure.
    """
    unsure = score.avg_logprob <= limits.log_prob or is_invented(score, limits)
    if score.no_speech_prob > limits.no_speech and unsure:
        return Verdict.EMPTY
    if is_loop(score, limits) or score.hasty or score.avg_logprob < limits.log_prob:
        return Verdict.AGAIN
    return Verdict.KEEP


def best(scores: Sequence[Score], limits: Limits) -> int:
    """The index of the result to take where none of several decodings of the same audio is good.

    What nobody said (`is_invented`) comes last. Before that a sure one goes before a guess, then one without a loop before a
    loop, then the surest, then the first. Whisper takes any result without a loop, and so a guess at temperature 1 instead of a
    song that it was sure of.
    """

    def rank(index: int) -> tuple[bool, bool, bool, float]:
        score = scores[index]
        sure, loops = score.avg_logprob >= limits.log_prob, is_loop(score, limits)
        return not is_invented(score, limits), sure, not loops, score.avg_logprob

    return max(range(len(scores)), key=rank)


@dataclass(frozen=True, slots=True)
class Piece:
    """A subsegment: its time stamps are steps of 20 ms from the item's beginning, and may lie outside of it."""

    start: int
    end: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The finished pieces of a window's tokens, and what is to be done for the rest."""

    pieces: tuple[Piece, ...]
    go_on: int | None = None  # frame from which the rest is to be decoded
    split: bool = False  # `pieces` is empty: decode the two halves instead


def lay_out(tokens: Sequence[int], begin: int, frames: int, *, full: bool) -> Layout:
    """Cut `tokens` at their pairs of timestamps, and see whether all of the audio was written down.

    Args:
        tokens: as the model gave them, without the end mark.
        begin: the token of <|0.00|>; higher ones are later.
        frames: features of the item, 100 a second.
        full: the token limit was reached, so that speech may be missing.
    """
    pieces, last, ended = _cut(tokens, begin, frames)
    paired = last > 0
    if ended and not full and frames - pieces[-1].end * FRAMES_PER_TIMESTAMP < LONG_REST:
        return Layout(pieces)
    if ended:  # Whisper skips the rest of the window here
        return _go_on(pieces, pieces[-1].end, frames, (), full=full)
    if paired:  # the speech after the last pair is unfinished: it is decoded again from there, as Whisper does
        return _go_on(pieces, tokens[last - 1] - begin, frames, tokens[last:], full=full)
    if full and frames >= 2 * LEAST_HALF:  # Whisper skips the rest of the window here as well
        return Layout((), split=True)
    return Layout(pieces)


def _go_on(pieces: tuple[Piece, ...], stamp: int, frames: int, tail: Sequence[int], *, full: bool) -> Layout:
    seek = stamp * FRAMES_PER_TIMESTAMP
    if frames - seek < LEAST_REST:
        return Layout(pieces)
    if seek >= LEAST_STEP:
        return Layout(pieces, go_on=seek)
    if full and frames >= 2 * LEAST_HALF:
        return Layout((), split=True)
    if not tail:
        return Layout(pieces)
    return Layout((*pieces, Piece(stamp, frames // FRAMES_PER_TIMESTAMP, tuple(tail))))


def _cut(tokens: Sequence[int], begin: int, frames: int) -> tuple[tuple[Piece, ...], int, bool]:
    """faster-whisper's `_split_segments_by_timestamps`, without its times in seconds.

    Returns:
        The pieces; the index after the last pair's first stamp, 0 where there is no pair; whether a single timestamp
        ends the tokens.
    """
    ended = len(tokens) >= 2 and tokens[-2] < begin <= tokens[-1]
    pairs = [i for i in range(1, len(tokens)) if tokens[i] >= begin and tokens[i - 1] >= begin]
    if not pairs:
        stamps = [token - begin for token in tokens if token >= begin]
        end = stamps[-1] if stamps and stamps[-1] > 0 else frames // FRAMES_PER_TIMESTAMP
        return (Piece(0, end, tuple(tokens)),), 0, ended
    bounds = [0, *pairs, *([len(tokens)] if ended else [])]
    slices = [tokens[first:after] for first, after in itertools.pairwise(bounds)]
    pieces = tuple(Piece(each[0] - begin, each[-1] - begin, tuple(each)) for each in slices)
    return pieces, pairs[-1], ended


def is_hushed(levels: Sequence[float], rest: int) -> bool:
    """Whether the last `rest` of an item's levels are short and far below its speech: the padding behind the last word.

    Args:
        levels: loudness of equal stretches of 0.1 s, in units of Whisper's features.
        rest: how many of them are left to be decoded.
    """
    if rest >= SHORT_REST // LEVEL or rest >= len(levels):
        return False
    speech = sorted(levels)[len(levels) * 9 // 10]
    return max(levels[len(levels) - rest :], default=speech) < speech - HUSHED


def quietest(levels: Sequence[float]) -> int:
    """The index at which to halve a window: the lowest level in the middle third; of equal ones that nearest the middle.

    Args:
        levels: loudness of equal stretches of the window, at least three.
    """
    third = len(levels) // 3
    middle = len(levels) / 2
    return min(range(third, len(levels) - third), key=lambda i: (levels[i], abs(i - middle)))
