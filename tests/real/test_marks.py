"""How marks of punctuation and capital letters are counted, and where they are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real import NO_EXTRA
from tests.real.marks import Marks, marks

pytest.importorskip("rapidfuzz", reason=NO_EXTRA)
pytest.importorskip("whisper_normalizer", reason=NO_EXTRA)

from tests.real import table
from tests.real.corpus import Clip


def rows(*clips, language="en", **ways):
    """The rows of one group: its texts, and by way what was heard of each."""
    group = [Clip(Path(name), name, "g", language, said) for name, said in zip("xyz", clips, strict=False)]
    runs = {
        way: {
            clip.name: [{"text": text, "processor": 1.0, "language": language, "sampled": False}]
            for clip, text in zip(group, texts, strict=True)
        }
        for way, texts in ways.items()
    }
    return list(table.marks_table(table.groups(group, runs)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Well, yes. Really?", Marks(3, 3, 2)),
        ("so it is", Marks(3, 0, 0)),
        ('He said: "Go, Anna!" (She went.)', Marks(6, 4, 4)),
        ("wait... what?!", Marks(2, 2, 0)),
        ("he came—late – and - she did--not", Marks(7, 4, 0)),
        ("'And I?'", Marks(2, 1, 2)),
        ("", Marks()),
    ],
)
def test_marks_stand_behind_words_and_capitals_begin_them(text, found):
    assert marks(text) == found


@pytest.mark.parametrize(
    "text", ["3.5 of 10,000 at 10:30", "don't text-to-speech the boys' thing", "the iPhone of mcDonald"]
)
def test_what_is_inside_a_word_is_no_mark_and_no_beginning(text):
    found = marks(text)
    assert (found.marks, found.capitals) == (0, 0)


def test_the_rates_of_each_way_are_beside_those_of_what_was_said():
    found = rows(
        "Yes, Anna. Go on.", "No. No.", sttd=["yes Anna go on", "no. No"], sequential=["Yes, Anna go on.", "No"]
    )
    assert found[2:] == [
        "| g: 2 files | what was said | 6 | 83.3 | 83.3 |",
        "|  | sttd | 6 | 16.7 | 33.3 |",
        "|  | sequential | 5 | 40.0 | 60.0 |",
    ]


def test_texts_without_punctuation_are_nothing_to_compare_with():
    found = rows("YES ANNA", "No. No.", sttd=["Yes, Anna.", "No."])
    assert found[2:] == ["| g: 2 files | sttd | 3 | 100.0 | 100.0 |"]


@pytest.mark.parametrize(("said", "language"), [("ใครเป็น, ผู้รับ.", "th"), ("Hi. ครับ", "mul"), ("", "und")])
def test_thai_mixed_languages_and_silence_have_no_rates(said, language):
    assert rows(said, language=language, sttd=["Hello."]) == []
