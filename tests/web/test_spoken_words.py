"""Words with their times, also where Whisper's tokens are pieces of them."""

from __future__ import annotations

import pytest

from sttd.part import Segment, Word
from tests.web import NO_WEB

pytest.importorskip("starlette", reason=NO_WEB)

from sttd.web.api import said


def segment(language: str, text: str, *pieces: str) -> Segment:
    """Each piece has half a second, from 10 s on."""
    words = tuple(Word(10 + n / 2, 10.5 + n / 2, piece, 0.9) for n, piece in enumerate(pieces))
    return Segment(10, 10 + len(pieces) / 2, text, -0.2, 1.0, 0.0, 0.0, language, words)


def words(found: Segment) -> list[tuple[str, float, float]]:
    return [(each["word"], each["start"], each["end"]) for each in said.words(found)]


def test_pieces_of_thai_become_words_with_the_times_of_their_pieces():
    """Also English ones among them, which come in pieces too in a segment that is Thai."""
    found = segment("th", "สวัสดีครับ budget", "สวัส", "ดี", "ค", "รับ", " bud", "get")
    assert words(found) == [("สวัสดี", 10, 11), ("ครับ", 11, 12), ("budget", 12, 13)]


def test_a_border_within_a_piece_gets_its_share_of_the_pieces_time():
    assert words(segment("th", "สวัสดีครับ", "สวัสดีค", "รับ")) == [("สวัสดี", 10, 10.429), ("ครับ", 10.429, 11)]


def test_words_of_scripts_with_spaces_are_as_they_were_measured():
    found = segment("en", "Well, three point five", " Well,", " three", " point", " five")
    assert [word for word, _, _ in words(found)] == ["Well,", "three", "point", "five"]
    assert words(found)[1][1:] == (10.5, 11)


@pytest.mark.parametrize(("language", "text"), [("th", ""), ("th", " "), ("en", ""), ("th", "สวัสดี")])
def test_a_segment_without_text_or_words_has_none(language, text):
    assert words(segment(language, text)) == []
    assert [word for word, _, _ in words(segment(language, text, text))] in ([], [""], ["สวัสดี"])
