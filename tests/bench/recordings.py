"""What the contenders listen to, made once and kept; and whether what they wrote is what is said."""

from __future__ import annotations

import random
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests import speech
from tests.bench import random_model
from tests.bench.side_by_side import Outcome, WrongText

Said = Sequence[tuple[str, list[str]]]  # (language, words) of each file

_BLOCK = 600  # seconds that are composed at once
_WORST = 0.4  # error rate above which a contender did not do the work; the demo model's own is about 0.22
_LOST = 0.03  # by so much sttd may be worse than the best of the others


@dataclass(frozen=True)
class Heard:
    files: list[Path]
    said: Said
    seconds: float  # of audio, all together


def clips(folder: Path, count: int) -> Heard:
    """`count` clips of 2 to 15 s, each in one language; in FLAC."""
    folder = folder / f"clips-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(count)
    files, said, seconds = [], [], 0.0
    for number in range(count):
        language = draw.choice(["en", "th"])
        target = draw.uniform(2, 15)
        names = [name for name in speech.names(language) if name.startswith("clip")]
        pieces, length = [], 0.0
        while not pieces or length < target - 3:
            pieces.append(draw.choice(names))
            length += len(speech.sample(pieces[-1])) / speech.RATE + 0.4
        recording = speech.compose(pieces, pauses=0.3 + number / 10_000, seed=number)  # no two are the same file
        path = folder / f"{number:03}.flac"
        if not path.exists():
            speech.encode(path, recording.audio)
        files.append(path)
        said.append((language, recording.said()))
        seconds += recording.seconds
    return Heard(files, said, seconds)


def long(folder: Path, seconds: float) -> Heard:
    """One English recording, ten minutes said anew again and again; MP3 at 64 kbit/s."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [
        speech.compose(seconds=min(_BLOCK, seconds - first), language="en", seed=100 + number)
        for number, first in enumerate(np.arange(0, seconds, _BLOCK).tolist())
    ]
    path = folder / f"long-{seconds:.0f}.mp3"
    if not path.exists():
        making = path.with_name(f"making-{path.name}")
        speech.encode(making, np.concatenate([block.audio for block in blocks]), quick=False)
        making.rename(path)
    words = [word for block in blocks for word in block.said()]
    return Heard([path], [("en", words)], sum(block.seconds for block in blocks))


def errors(said: Said, outcome: Outcome) -> float:
    """The mean error rate over the files; a wrong language counts as all wrong."""
    pairs = zip(said, outcome.texts, strict=True)
    return statistics.mean(
        speech.error_rate(words, text, language) if language == found else 1.0
        for (language, words), (found, text) in pairs
    )


def checker(said: Said, model: str) -> Callable[[str, Outcome], str]:
    """The check of `Turns`: right words of the demo model, the known sentence and nothing else of a random one."""
    return Words(said, errors) if model == "demo" else _sentences


class Words:
    """The error rate: nobody's above a bound, and sttd's never far above the best. A peer may lose more words than sttd."""

    def __init__(self, said: Said, errors: Callable[[Said, Outcome], float]) -> None:
        self._said, self._errors = said, errors
        self._ours: list[float] = []
        self._theirs: list[float] = []

    def __call__(self, name: str, outcome: Outcome) -> str:
        rate = self._errors(self._said, outcome)
        (self._ours if name == "sttd" else self._theirs).append(rate)
        if rate > _WORST:
            raise WrongText(f"{name}: {rate:.1%} of the words are wrong")
        if self._theirs and max(self._ours, default=0.0) > min(self._theirs) + _LOST:
            raise WrongText(f"sttd: {max(self._ours):.1%} of the words are wrong, of a peer's {min(self._theirs):.1%}")
        return f"{rate:.2%} wrong"


def _sentences(name: str, outcome: Outcome) -> str:
    """Each window gives the sentence once; sttd may divide it where silence was left out, but loses nothing of it."""
    sentence = re.sub(r"\s+", "", random_model.sentence())
    windows = 0
    for _, text in outcome.texts:
        count, rest = divmod(len(re.sub(r"\s+", "", text)), len(sentence))
        if not count or rest or re.sub(r"\s+", "", text) != sentence * count:
            raise WrongText(f"{name}: it wrote {text[:200]!r}...")
        windows += count
    return f"{windows} windows of {random_model.WORDS} tokens"
