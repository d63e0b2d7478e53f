"""Error rate of a CTranslate2 model folder on held-out synthetic speech: words for English, characters for Thai.

python -m tests.demo_model.evaluate MODEL_DIR HELD_OUT_CORPUS_DIR [--clips 60]
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

from tests.demo_model.synth import RATE, Utterance, load_corpus
from tests.speech import error_rate


@dataclass
class Score:
    """What was counted over the clips of one language."""

    clips: int = 0
    units: int = 0  # words or characters that were said
    wrong: float = 0.0
    language_right: int = 0
    seconds: float = 0.0  # of audio

    def add(self, said: list[str], heard: str, language: str, detected: str, seconds: float) -> None:
        units = len(said) if language == "en" else len("".join(said))
        self.clips += 1
        self.units += units
        self.wrong += error_rate(said, heard, language) * units
        self.language_right += detected == language
        self.seconds += seconds


def clip(pool: list[Utterance], rng: random.Random) -> tuple[np.ndarray, list[str]]:
    """1 to 12 phrases with pauses of 0.4 to 2 s: the audio (float32, 16 kHz), and the words."""
    pieces, words = [np.zeros(RATE // 4, np.float32)], []
    for _ in range(rng.choice([1, 2, 4, 12])):
        said = rng.choice(pool)
        pieces += [said.scaled(0.5), np.zeros(int(rng.uniform(0.4, 2) * RATE), np.float32)]
        words += said.words
    return np.concatenate(pieces), words


def evaluate(whisper: WhisperModel, mode: str, pool: list[Utterance], clips: int, rng: random.Random) -> Score:
    """The score of `clips` clips of one language."""
    score = Score()
    for _ in range(clips):
        audio, said = clip(pool, rng)
        if mode == "batched":
            segments, info = BatchedInferencePipeline(whisper).transcribe(audio, without_timestamps=False)
        else:
            segments, info = whisper.transcribe(audio)
        heard = " ".join(segment.text.strip() for segment in segments)
        score.add(said, heard, pool[0].language, info.language, len(audio) / RATE)
    return score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--clips", type=int, default=60)
    args = parser.parse_args()
    corpus = load_corpus(args.corpus)
    whisper = WhisperModel(str(args.model), device="cpu", compute_type="int8")
    rng = random.Random(5)
    for mode in ("sequential", "batched"):
        for language in ("en", "th"):
            started = time.monotonic()
            pool = [each for each in corpus if each.language == language]
            score = evaluate(whisper, mode, pool, args.clips // 2, rng)
            speed = score.seconds / (time.monotonic() - started)
            print(
                f"{mode} {language}: error rate {score.wrong / score.units:.3f}, "
                f"language right {score.language_right}/{score.clips}, {speed:.0f} times real time"
            )


if __name__ == "__main__":
    main()
