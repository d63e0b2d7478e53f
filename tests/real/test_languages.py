"""Thai and English in one recording, with a real Whisper `base` and people's voices: each stretch in its own language.

The recordings are no part of the project: STTD_REAL_SPEECH names a folder (see corpus.py) with short clips in both languages.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from faster_whisper import decode_audio

from tests.real import NO_EXTRA, NO_SPEECH

pytest.importorskip("rapidfuzz", reason=NO_EXTRA)
pytest.importorskip("whisper_normalizer", reason=NO_EXTRA)

from sttd.part import Options
from sttd.worker.decoding.decoder import Decoder
from sttd.worker.decoding.items import prepare
from sttd.worker.speech.windows import Window
from tests.real import corpus
from tests.real.score import score

RATE = 16_000
TURNS = ("en", "th", "en", "th")


@pytest.fixture(scope="module")
def turns() -> list[tuple[corpus.Clip, np.ndarray]]:
    """Clips of 3 to 7 s by turns."""
    folder = os.environ.get("STTD_REAL_SPEECH")
    if not folder:
        pytest.skip(f"{NO_SPEECH}: STTD_REAL_SPEECH names no folder")
    pools: dict[str, list[tuple[corpus.Clip, np.ndarray]]] = {"en": [], "th": []}
    for clip in corpus.read(Path(folder)):
        if clip.text and clip.language in pools and len(pools[clip.language]) < 2:
            audio = np.asarray(decode_audio(str(clip.path)))
            if 3 * RATE <= len(audio) <= 7 * RATE:
                pools[clip.language].append((clip, audio))
    if min(map(len, pools.values())) < 2:
        pytest.skip(f"{NO_SPEECH}: {folder} has no two clips of 3 to 7 s in Thai and in English")
    return [pools[language].pop() for language in TURNS]


def test_thai_and_english_by_turns_within_one_window_are_written_in_both(loaded, turns):
    """As many segments' languages as turns, and no more wrong than what Whisper gets wrong of the clips."""
    pause = np.random.default_rng(0).normal(0, 1e-4, RATE)
    audio = np.concatenate([part for _, sound in turns for part in (sound, pause)]).astype(np.float32)[: 30 * RATE]
    decoder = Decoder(loaded, Options(temperatures=(0.0,), languages=("th", "en")))
    window = Window(0, 0, len(audio), ((0, len(audio)),), audio)
    (chunk,) = decoder.decode(list(decoder.ready([prepare(loaded.whisper, window)])))
    heard = [part.language for part in chunk.segments]
    assert [each for at, each in enumerate(heard) if at == 0 or heard[at - 1] != each] == list(TURNS)
    said = " ".join(clip.text for clip, _ in turns)
    assert score(said, " ".join(part.text for part in chunk.segments), "mul").rate < 0.35
