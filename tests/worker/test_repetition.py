"""repetition.py: one limit tells loops from normal text in all scripts."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from faster_whisper.transcribe import get_compression_ratio

from sttd.part import Options
from sttd.worker.decoding.repetition import compression_ratio

LIMIT = Options().compression_ratio
TEXTS = json.loads((Path(__file__).parent / "human_rights.json").read_text("utf-8"))
SOURCE = TEXTS.pop("//")

each_script = pytest.mark.parametrize("language", TEXTS)


def stretches(language: str, length: int) -> Iterator[str]:
    text = TEXTS[language]
    return (text[first : first + length] for first in range(0, len(text) - length, 13))


@each_script
@pytest.mark.parametrize("length", [20, 150, 250, 350, 448])
def test_normal_text_is_no_loop_in_any_script(language, length):
    assert max(map(compression_ratio, stretches(language, length))) < LIMIT


@each_script
@pytest.mark.parametrize(("length", "times"), [(15, 8), (30, 4), (30, 8), (60, 3), (60, 4), (60, 8)])
def test_a_phrase_again_and_again_is_a_loop_in_every_script(language, length, times):
    assert min(compression_ratio(f"{phrase.strip()} " * times) for phrase in stretches(language, length)) > LIMIT


@each_script
@pytest.mark.parametrize("letters", [1, 2, 3])
def test_a_syllable_fifty_times_is_a_loop_in_every_script(language, letters):
    syllables = {phrase.replace(" ", "") for phrase in stretches(language, letters)} - {""}
    assert min(compression_ratio(syllable * 50) for syllable in syllables) > LIMIT


def test_scripts_of_three_bytes_a_letter_are_over_the_limit_by_whispers_count_and_english_is_not():
    over = {name for name in TEXTS if statistics.median(map(get_compression_ratio, stretches(name, 350))) > LIMIT}
    assert over == {"th", "lo", "km", "my", "hi"}
    for text in stretches("en", 350):
        assert compression_ratio(text) == pytest.approx(get_compression_ratio(text), rel=0.15)


def test_more_than_256_different_characters_are_told_apart():
    many = "".join(chr(0x4E00 + number) for number in range(700))
    assert compression_ratio(many) < 1
    assert compression_ratio(many * 4) > LIMIT
    assert compression_ratio(TEXTS["zh"]) == pytest.approx(compression_ratio(TEXTS["zh"][:300]), rel=0.1)
    assert compression_ratio(TEXTS["zh"] + TEXTS["zh"][:10] * 400) > LIMIT


@pytest.mark.parametrize("text", ["", "a", "ครับ", "ครับ ครับ ครับ", "no no no no", "ha" * 10])
def test_so_short_a_text_is_no_loop(text):
    assert compression_ratio(text) < LIMIT
