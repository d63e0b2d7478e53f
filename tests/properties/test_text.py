"""What is printed of a name: one line, no control, nothing that forges another line, and one text for one name."""

from __future__ import annotations

import unicodedata

from hypothesis import given, strategies as st

from sttd.text import printable, sentence
from tests.properties import words

CONTROLS = [
    "\x1b[31m",
    "\x1b]8;;http://x\x07",
    "\n2026 ERROR",
    "\r",
    "\x85",
    "\u2028",
    "\u202e",
    "\x9b1m",
    "\x7f",
    "\\n",
    "\\",
]
names = st.lists(words.names | st.sampled_from(CONTROLS) | st.text(max_size=5), max_size=6).map("".join)
# needed to write Thai, Persian and emoji; they shape letters, not lines
KEPT = {"\u200b", "\u200c", "\u200d"}


@given(names)
def test_any_name_is_one_harmless_line(name):
    """No control of C0 or C1, no line or paragraph end, no bidi or other format control, nothing that UTF-8 has not."""
    for shown in (printable(name), sentence(name)):
        shown.encode()
        assert shown.splitlines() in ([], [shown])
        bad = {c for c in shown if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs")}
        bad |= {
            c
            for c in shown
            if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        }
        assert not bad
        assert "\x1b" not in shown


@given(names, names)
def test_two_names_never_look_the_same(one, other):
    """Nor does one look like the escaped form of another."""
    assert (printable(one) == printable(other)) == (one == other)
    assert printable(one) == one or printable(printable(one)) != printable(one)


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S"], exclude_characters="\\")))
def test_what_is_meant_to_be_read_stays_as_it_is(text):
    """Letters of every script with their marks, figures, punctuation, emoji, and the joiners between them."""
    assert printable(text) == text
    assert printable("".join(KEPT).join(text)) == "".join(KEPT).join(text)
