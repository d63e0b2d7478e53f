"""How errors are counted: the figures of tests/real are worth no more than this."""

from __future__ import annotations

import pytest

from tests.real import NO_EXTRA

pytest.importorskip("rapidfuzz", reason=NO_EXTRA)
pytest.importorskip("whisper_normalizer", reason=NO_EXTRA)

from tests.real.score import Score, differences, looped, score, units


@pytest.mark.parametrize(
    ("said", "heard", "wrong"),
    [
        ("I have twenty-two colours, Mr. Smith.", "I've 22 colors mister Smith", Score(6)),
        ("the cat sat", "the dog sat", Score(3, substitutions=1)),
        ("the cat sat", "the cat", Score(3, deletions=1)),
        ("the cat sat", "so the cat sat", Score(3, insertions=1)),
        ("", "", Score()),
        ("", "thank you [Music]", Score(insertions=3)),
    ],
)
def test_english_is_compared_by_words_as_whispers_normaliser_writes_them(said, heard, wrong):
    assert score(said, heard, "en") == wrong


@pytest.mark.parametrize(
    ("said", "heard", "wrong"),
    [
        ("ใครเป็นผู้รับ", "ใครเป็น ผู้รับ?", Score(13)),
        ("ใครเป็นผู้รับ", "ใครเป็นผู้รัก", Score(13, substitutions=1)),
        ("ใครเป็นผู้รับ", "ใครเปนผู้รับ", Score(13, deletions=1)),  # a vowel mark counts like any character
        ("กี่", "ก\u0e48\u0e35", Score(3, substitutions=0, insertions=1, deletions=1)),  # another order is an error
    ],
)
def test_thai_is_compared_by_characters_without_spaces_and_punctuation(said, heard, wrong):
    assert score(said, heard, "th") == wrong


def test_a_text_of_two_languages_is_compared_by_the_words_of_one_and_the_characters_of_the_other():
    assert units("Hello ใคร there, ครับ", "mul") == ["hello", *"ใคร", "there", *"ครับ"]


def test_what_is_said_again_and_again_is_counted_as_a_loop_and_not_as_an_insertion():
    assert score("we go home now", "we go home go home go home now", "en") == Score(4, loops=4)
    assert score("we go home now", "we go home go home now", "en") == Score(4, insertions=2)
    assert score("ครับ", "ครับครับครับครับ", "th") == Score(4, loops=12)


def test_what_a_person_repeats_is_no_loop():
    assert score("no no no no I said", "no no no no I said", "en") == Score(6)
    assert looped("no no no I".split()) == [True, True, True, False]


def test_differences_show_what_was_said_and_what_was_heard():
    assert differences("plus you can not go", "you can go", "en") == " [plus → ∅]; you can [not → ∅]"
