"""The times of words."""

from __future__ import annotations

import numpy as np
import pytest

from sttd.part import ModelSpec, Options
from sttd.worker import load
from sttd.worker.decoding.items import Item, encode, prepare
from sttd.worker.decoding.judge import Piece
from sttd.worker.decoding.voice import Voices
from sttd.worker.decoding.words import Line, time_words
from sttd.worker.speech.windows import Window
from tests import speech


@pytest.fixture(scope="module")
def model():
    return load(ModelSpec("demo"), lambda *_: None)


def test_words_are_timed_one_item_at_a_time_on_a_cpu_and_only_where_there_is_text(monkeypatch, model):
    """The alignment of a batch takes the probabilities of all words for each token of each item."""
    sounds = [speech.sample("english").astype(np.float32)] * 3
    windows = [Window(i, 0, len(sound), ((0, len(sound)),), sound) for i, sound in enumerate(sounds)]
    items = [Item(i, 0, prepare(model.whisper, window).features) for i, window in enumerate(windows)]
    voice = Voices(model, Options()).get("en")
    pieces = (Piece(0, 100, tuple(voice.tokenizer.encode(" monday tuesday"))),)
    lines = [Line(voice, item.frames, () if i == 1 else pieces) for i, item in enumerate(items)]
    asked, align = [], model.whisper.find_alignment

    def watch(tokenizer, texts, outputs, *rest, **named):
        asked.append((len(texts), outputs.shape[0]))
        return align(tokenizer, texts, outputs, *rest, **named)

    monkeypatch.setattr(model.whisper, "find_alignment", watch)
    timed = time_words(model.whisper, encode(model.whisper, items), lines)
    assert asked == [(1, 1), (1, 1)]
    assert [[word.word for word in piece.words] for line in timed for piece in line] == [[" monday", " tuesday"]] * 2
    assert [piece.words[0].start for line in timed[::2] for piece in line] == pytest.approx([1.04, 1.04], abs=0.01)
