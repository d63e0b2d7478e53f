"""Where lines may be broken between words is as budoux says, and is found out soon: a long recording has 10,000 segments."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import FrameType

import pytest
from budoux import parser
from hypothesis import given, strategies as st

from sttd.config import Subtitles
from sttd.outbox.formats.breaks import breaks
from sttd.outbox.formats.cues import cues
from sttd.part import Segment
from sttd.script import may_cut

RIGHTS = json.loads((Path(__file__).parents[1] / "worker" / "human_rights.json").read_text("utf-8"))
LETTERS = "".join(char for char in RIGHTS["th"] if char != " " and not char.isdigit() and "\u0e00" <= char < "\u0e80")
PARSER = parser.load_default_thai_parser()
ONE_LINE = 2**31  # columns


@given(st.integers(0, len(LETTERS) - 1), st.integers(1, 40))
def test_thai_has_the_borders_of_budoux_from_its_first_character_to_its_last(first, count):
    text = LETTERS[first : first + count]
    borders, at = set(), 0
    for word in PARSER.parse(text)[:-1]:
        at += len(word)
        borders.add(at)
    allowed = {at for at in borders if may_cut(text, at) and text[at] not in "ๆฯ"}
    assert {place.start for place in breaks(text, ONE_LINE)} == allowed


@pytest.mark.parametrize(("language", "most"), [("en", 75), ("th", 170), ("ja", 170)])
def test_the_layout_of_a_page_takes_few_calls(language, most):
    """Of Python, for each character; they are the same on any machine. It took twice as many."""
    text = RIGHTS[language][:2000]
    segments = [
        Segment(at / 20, (at + 150) / 20, text[at : at + 150], -0.2, 1.0, 0.0, 0.0, language)
        for at in range(0, len(text), 150)
    ]
    list(cues(iter(segments[:1]), Subtitles()))  # the model of its words is read once
    calls = 0

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        list(cues(iter(segments), Subtitles()))
    finally:
        sys.setprofile(before)
    assert calls / len(text) < most
