"""The models of the table by name, each with what it listens to and how its words are checked.

demo    the demo model, on the synthesizer's words that it knows
base    the shape of Whisper's `base` and random weights: the same known sentence for each window
small   the same of `small`
real    Whisper's `base` with its real weights, on a person's sentences
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.bench import random_model, real, recordings
from tests.bench.recordings import Heard
from tests.bench.side_by_side import Bench, Outcome
from tests.real import weights

REAL = "real"
WORDS = {
    "demo": "demo model",
    "base": "base, random weights",
    "small": "small, random weights",
    REAL: "base, real weights",
}


def names(bench: Bench) -> list[str]:
    """The models that are asked for; the real one only where it is on this machine."""
    return [name for name in bench.models if name != REAL or real.here(bench.speech)]


def model(bench: Bench, name: str) -> Path:
    return weights.get("base") if name == REAL else random_model.folder(name, bench.cache)


def clips(bench: Bench, name: str, count: int) -> Heard:
    return real.clips(bench, count) if name == REAL else recordings.clips(bench.cache, count)


def long(bench: Bench, name: str, seconds: float) -> Heard:
    return real.long(bench, seconds) if name == REAL else recordings.long(bench.cache, seconds)


def checker(heard: Heard, name: str) -> Callable[[str, Outcome], str]:
    """The check of `Turns`."""
    if name == REAL:
        return recordings.Words(heard.said, real.errors)
    return recordings.checker(heard.said, name)
