"""Where in a stretch of audio another language begins; pure.

People who speak two languages in one meeting change between them within a window. So the model is asked for the language of
each section, a few seconds between two pauses, and the answers are weighed together: a change must be worth its price.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sttd.worker.decoding.judge import HUSHED

# The least levels (of 0.1 s) in a section, and the most without a division at its quietest place. `base` told Thai from English
# in all of 47 pieces of 2 s and 38 between pauses (tests/bench/LOG.md).
LEAST = 10
MOST = 40
_QUIET = 3  # on both sides of a place: a pause is longer than the closure of a consonant
# A change costs as much as a section whose other language is this many times likelier (natural logarithm): a section in the
# middle is a turn of its own from 95 % on, one at an end from 82 % on.
_CHANGE = 1.5
_FLOOR = 1e-3  # no section is surer than this


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch in one language."""

    first: int  # level
    last: int  # the level after it
    language: str
    probability: float  # mean over its time


def sections(levels: Sequence[float]) -> list[tuple[int, int]]:
    """Divide a stretch at its pauses; where there is none for long, at its quietest place.

    Args:
        levels: loudness of each 0.1 s, in units of Whisper's features.

    Returns:
        of each section, its first level and the one after its last, in order and without a gap. None is shorter than 1 s, unless
        the whole stretch is.
    """
    around = [_mean(levels[max(0, place - _QUIET) : place + _QUIET]) for place in range(len(levels))]
    pause = sorted(levels)[len(levels) * 9 // 10] - HUSHED if levels else 0.0
    found, waiting = [], [(0, len(levels))]
    while waiting:
        first, last = waiting.pop()
        places = range(first + LEAST, last - LEAST + 1)
        middle = (first + last) / 2
        place = min(places, key=lambda place: (around[place], abs(place - middle)), default=None)
        if place is None or (last - first <= MOST and around[place] >= pause):
            found.append((first, last))
        else:
            waiting += [(place, last), (first, place)]
    return found


def turns(asked: Sequence[tuple[tuple[int, int], Mapping[str, float]]]) -> list[Turn]:
    """The likeliest turns (the Viterbi path through the sections).

    Args:
        asked: each section with the probability of each language; the same languages for all.
    """
    ways: dict[str, tuple[float, tuple[str, ...]]] = {}
    for _, probabilities in asked:
        best = max(ways.values(), key=lambda way: way[0], default=(0.0, ()))
        ways = {
            language: _step(ways.get(language, best), best, language, probability)
            for language, probability in probabilities.items()
        }
    _, languages = max(ways.values(), key=lambda way: way[0], default=(0.0, ()))
    return _joined(asked, languages)


def _step(
    same: tuple[float, tuple[str, ...]], best: tuple[float, tuple[str, ...]], language: str, probability: float
) -> tuple[float, tuple[str, ...]]:
    """The best way to a section in `language`: staying in it, or coming over from the best of all."""
    worth, way = max(same, (best[0] - _CHANGE, best[1]), key=lambda way: way[0])
    return worth + math.log(max(probability, _FLOOR)), (*way, language)


def _joined(asked: Sequence[tuple[tuple[int, int], Mapping[str, float]]], languages: Sequence[str]) -> list[Turn]:
    """Neighbours of one language together."""
    found: list[Turn] = []
    for ((first, last), probabilities), language in zip(asked, languages, strict=True):
        turn = Turn(first, last, language, probabilities[language])
        if found and found[-1].language == language:
            before = found.pop()
            length = last - before.first
            mean = (before.probability * (before.last - before.first) + turn.probability * (last - first)) / length
            turn = Turn(before.first, last, language, mean)
        found.append(turn)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
