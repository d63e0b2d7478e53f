"""What rows 1, 3 and 4 hear with real weights: a person's sentences, and the words of each contender compared with them.

With random weights no window is ever decoded twice, no text is longer than another, and nothing is wrong. Here all that
costs what it costs. Weights and recordings are those of tests/real.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.bench.recordings import Heard, Said
from tests.bench.side_by_side import Bench, Outcome
from tests.real import corpus, joined, weights


def here(speech: Path) -> bool:
    """Whether the weights, the recordings and Whisper's normaliser are on this machine."""
    try:
        import tests.real.score

        return bool(tests.real.score and weights.find("base") and corpus.read(speech))
    except (ImportError, corpus.NoSpeech):
        return False


def clips(bench: Bench, count: int) -> Heard:
    """Clips of 2 to 15 s; the first ones again where there are too few."""
    folder = bench.cache / f"real-clips-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    pool = [clip for clip in _english(bench) if 2 <= joined.seconds_of(clip) <= 15]
    chosen = list(itertools.islice(itertools.cycle(pool), count))
    files = [folder / f"{number:03}{clip.path.suffix}" for number, clip in enumerate(chosen)]
    for clip, file in zip(chosen, files, strict=True):
        shutil.copy(clip.path, file)
    return _heard(chosen, files)


def long(bench: Bench, seconds: float) -> Heard:
    """Clips of all lengths one after the other, with short pauses."""
    clip = joined.one(_english(bench), seconds, seed=100)
    return _heard([clip], [clip.path])


def _english(bench: Bench) -> list[corpus.Clip]:
    return [clip for clip in corpus.read(bench.speech) if clip.language == "en" and clip.text]


def _heard(clips: Sequence[corpus.Clip], files: list[Path]) -> Heard:
    said = [("en", clip.text.split()) for clip in clips]
    return Heard(files, said, sum(joined.seconds_of(clip) for clip in clips))


def errors(said: Said, outcome: Outcome) -> float:
    """The share of all words that are wrong, behind Whisper's normaliser."""
    from tests.real.score import Score, score

    pairs = zip(said, outcome.texts, strict=True)
    return sum((score(" ".join(words), text, "en") for (_, words), (_, text) in pairs), Score()).rate
