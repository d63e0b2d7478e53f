"""Names can forge neither a log line nor a terminal."""

from __future__ import annotations

import os
import unicodedata

import pytest
from hypothesis import given, strategies as st

from sttd.text import counted, printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb.wav", r"a\x0ab.wav"),
        ("a\r\tb\x00", r"a\x0d\x09b\x00"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b31m", r"\u009b31m"),
        ("evil\u202egpj.wav", r"evil\u202egpj.wav"),
        ("two\u2028lines", r"two\u2028lines"),
        ("tag\U000e0041", r"tag\U000e0041"),
        (os.fsdecode(b"caf\xe9\xff.wav"), r"caf\xe9\xff.wav"),
        ("\ud800", r"\ud800"),
        ("back\\x0a", r"back\\x0a"),
    ],
)
def test_what_could_forge_is_escaped(name, shown):
    assert printable(name) == shown


@pytest.mark.parametrize(
    "name", ["ประชุม เช้า.m4a", "👩‍👩‍👧 🇹🇭 ❤️.wav", "“Besprechung” – Übersicht [final] 100%.flac", "می‌خواهم.ogg", ""]
)
def test_what_is_meant_to_be_read_stays(name):
    assert printable(name) == name


@given(st.binary(max_size=40))
def test_any_name_becomes_one_line_of_encodable_text_and_no_two_the_same(raw):
    shown = printable(os.fsdecode(raw))
    shown.encode()
    assert not any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in shown)
    assert len(shown.splitlines()) <= 1


@given(st.text(max_size=20), st.text(max_size=20))
def test_different_names_look_different(one, other):
    assert (printable(one) == printable(other)) == (one == other)


def test_a_count_agrees_with_its_noun():
    words = [counted(number, what) for number, what in ((1, "chunk"), (0, "chunk"), (2, "failed job"), (3, "copy"))]
    assert words == ["1 chunk", "0 chunks", "2 failed jobs", "3 copies"]
