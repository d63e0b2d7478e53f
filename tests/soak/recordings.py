"""Small recordings without number: some with the same bytes, some of the same size, some with the same words alone."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from tests import speech

CLIPS = 12
QUIET = 4  # without speech: a file each, and no work for the model
LONGS = 2  # of several windows, so that there is something to resume


def bases(folder: Path) -> list[Path]:
    """The recordings that all others are made of, short ones first."""
    folder.mkdir()
    names = [name for name in speech.names() if name.startswith("clip")][:CLIPS]
    made = [
        speech.encode(folder / f"{name}.{('mp3', 'wav')[number % 2]}", speech.sample(name))
        for number, name in enumerate(names)
    ]
    for number in range(QUIET):
        noise = np.random.default_rng(number).normal(0, 1e-4, 2 * speech.RATE).astype(np.float32)
        made.append(speech.encode(folder / f"quiet{number}.{('mp3', 'wav')[number % 2]}", noise))
    for number in range(LONGS):
        audio = speech.compose(seconds=100, seed=number, language="en").audio
        made.append(speech.encode(folder / f"long{number}.mp3", audio))
    return made


def variant(base: Path, draw: random.Random) -> bytes:
    """The bytes of `base`, or others that sound the same: with an ID3v1 tag of its own, or a chunk that nobody reads."""
    data = base.read_bytes()
    if draw.random() < (0.2 if base.stem.startswith("quiet") else 0.75):
        return data
    if base.suffix == ".mp3":
        return data + b"TAG" + f"{draw.getrandbits(64):030}".encode() + bytes(95)
    note = draw.randbytes(draw.choice([16, 32]))
    return data + b"note" + len(note).to_bytes(4, "little") + note
