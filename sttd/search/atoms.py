"""The units of search: a text is split into atoms. Pure.

An atom is a word, or one grapheme cluster of a script that puts no space between words. Punctuation and spaces are not
atoms, so that a query need not repeat them: where Thai has spaces is up to its writer.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Hangul is among them: it has spaces, but few agree on where, and particles stick to its words. It is searched better by
# its syllables, as Lucene's CJKAnalyzer does it
_LETTERS = (  # blocks of letters alone: Hangul, bopomofo, Han
    (0x1100, 0x11FF), (0xAC00, 0xD7A3), (0x3105, 0x312F), (0x31A0, 0x31BF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF), (0x20000, 0x3FFFD),
)  # fmt: skip
_MIXED = (  # blocks with digits, marks and punctuation: Thai, Lao, Burmese, Khmer, kana
    (0x0E00, 0x0E7F), (0x0E80, 0x0EFF), (0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0x1780, 0x17FF),
    (0x3005, 0x3007), (0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F),
)  # fmt: skip
# letters by their category that belong to the cluster before them (UAX 29): sara am of Thai and Lao, voicing of half-width kana,
# vowels and finals of decomposed Hangul
_FOLLOWERS = "\u0e33\u0eb3\uff9e\uff9f\u1160-\u11ff"
_STACKERS = "\u1039\u17d2"  # Burmese and Khmer: the consonant that follows is written below
_JOINERS = "\u200c\u200d\u00ad\u2060"  # invisible within a word: joiners, soft hyphen, word joiner

_THAI_TONE, _LAO_TONE = "\u0e48-\u0e4b", "\u0ec8-\u0ecb"
_TWO_E = "\u0e40\u0e40"  # often typed in place of sara ae, which looks the same
# equal spellings of a Thai or Lao cluster, after NFKD: a tone mark follows a vowel, and stands before sara am
_REPAIRS = (
    (re.compile(_TWO_E), "\u0e41"),
    (re.compile(f"(\u0e4d\u0e32?)([{_THAI_TONE}])"), r"\2\1"),
    (re.compile(f"(\u0ecd\u0eb2?)([{_LAO_TONE}])"), r"\2\1"),
    (re.compile(f"([{_THAI_TONE}])([\u0e31\u0e34-\u0e3a])"), r"\2\1"),
    (re.compile(f"([{_LAO_TONE}])([\u0eb1\u0eb4-\u0eb9\u0ebb])"), r"\2\1"),
)
# marks that people leave out when they type: accents of Latin and Greek letters, vowels of Hebrew, Arabic
_LEFT_OUT = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]"
)
_SHORT_I = re.compile("\u0438\u0306")  # й is a letter of its own, not an и with an accent
_PLAIN = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "ı": "i"} | dict.fromkeys(_JOINERS, ""))


class Placed(NamedTuple):
    """An atom, and where it stands in its text."""

    atom: str
    start: int
    end: int


def atoms(text: str) -> list[str]:
    """The atoms of a text in their order, each in the one form in which it is compared."""
    return [atom for found in _pattern().findall(text) for atom in _normal(found)]


def placed(text: str) -> Iterator[Placed]:
    """The atoms of a text, each with its place."""
    for match in _pattern().finditer(text):
        for atom in _normal(match[0]):
            yield Placed(atom, *match.span())


@functools.lru_cache(maxsize=1 << 16)
def is_cluster(atom: str) -> bool:
    """Whether an atom is a grapheme cluster of a script without spaces, and no word."""
    return _base().match(atom) is not None


@functools.lru_cache(maxsize=1 << 16)
def _normal(found: str) -> tuple[str, ...]:
    """The form in which an atom is compared: without differences of case, width, accents, digits and equal spellings.

    The result is several atoms if one character stands for several: sara am, which many type as two, or a squared Japanese word.
    """
    text = unicodedata.normalize("NFKD", found.casefold().translate(_PLAIN)).casefold()
    text = unicodedata.normalize("NFC", _LEFT_OUT.sub("", _SHORT_I.sub("\u0439", text)))
    text = "".join(str(unicodedata.digit(char, char)) for char in text)
    for pattern, better in _REPAIRS:
        text = pattern.sub(better, text)
    return tuple(_pattern().findall(text)) or (found,)


@functools.cache
def _pattern() -> re.Pattern[str]:
    """Matches a cluster, or a word. Compiled at its first use, because that takes 0.05 s."""
    bases, marks = _bases(), _marks()
    joined = f"(?:[{_STACKERS}]+[{bases}]|[{marks}{_JOINERS}{_FOLLOWERS}])"
    return re.compile(f"(?:{_TWO_E}|[{bases}]){joined}*|[^\\W_{bases}](?:[^\\W_{bases}]|[{marks}{_JOINERS}])*")


@functools.cache
def _base() -> re.Pattern[str]:
    return re.compile(f"[{_bases()}]")


@functools.cache
def _bases() -> str:
    """What a cluster may begin with, for a class of a pattern. Digits are not in it: they make words, in these scripts too."""
    codes = (code for first, last in _MIXED for code in range(first, last + 1))
    letters = (code for code in codes if unicodedata.category(chr(code)) in ("Lo", "Lm"))
    return _class([*_runs(letters), *_LETTERS])


@functools.cache
def _marks() -> str:
    """Combining marks of all scripts, for a class of a pattern."""
    codes = (*range(0x0300, 0x1F000), *range(0xE0100, 0xE01F0))
    return _class(_runs(code for code in codes if unicodedata.category(chr(code))[0] == "M"))


def _runs(codes: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as ranges: first and last."""
    found: list[tuple[int, int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


def _class(runs: Iterable[tuple[int, int]]) -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in runs)
