"""What the script of a text decides: how wide it is, how it is read, and where it may be parted. Pure.

Widths are in columns, as on a terminal: a Chinese, Japanese or Korean character has two, a combining mark none.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

# Never at a line's or a name's beginning, though Unicode counts them as letters: Thai and Lao vowels and marks that
# are written behind their consonant
_FOLLOWERS = frozenset("ะาำๅๆฯະາຳໆ")
_LEADERS = frozenset("เแโใไເແໂໃໄ")  # vowels that are written before the consonant that they belong to
_JOINER = "\u200d"
_REGIONAL = range(0x1F1E6, 0x1F200)  # two of them are one flag
_SKIN = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)
_JAMO = range(0x1160, 0x1200)  # Hangul vowels and finals, which join what is before them
_KNOWN = 4096  # cached characters: laying out subtitles asks about each a hundred times


@dataclass(frozen=True, slots=True, eq=False)  # each is one object: they are compared a hundred times a subtitle
class Script:
    """How subtitles in a script are set and read."""

    name: str
    line: int  # characters
    speed: float  # characters a second
    columns: int = 1  # of a character


# Netflix's Timed Text Style Guides: characters a line, and characters a second for adults. Lao, Khmer and Burmese, of which
# they say nothing, are set as Thai.
LATIN = Script("Latin", 42, 17.0)  # and every other script with spaces between words, except Korean
THAI = Script("Thai", 35, 17.0)
CHINESE = Script("Chinese", 16, 9.0, columns=2)
JAPANESE = Script("Japanese", 13, 4.0, columns=2)
KOREAN = Script("Korean", 16, 12.0, columns=2)
SCRIPTS = {script.name: script for script in (LATIN, THAI, CHINESE, JAPANESE, KOREAN)}

_RANGES = (
    (range(0x0E00, 0x0E80), THAI),
    (range(0x0E80, 0x0F00), THAI),  # Lao
    (range(0x1000, 0x10A0), THAI),  # Burmese
    (range(0x1780, 0x1800), THAI),  # Khmer
    (range(0x3040, 0x3100), JAPANESE),
    (range(0x31F0, 0x3200), JAPANESE),
    (range(0x3400, 0xA000), CHINESE),
    (range(0xF900, 0xFB00), CHINESE),
    (range(0x20000, 0x32000), CHINESE),
    (range(0xAC00, 0xD7B0), KOREAN),
)


@functools.lru_cache(_KNOWN)
def script_of_letter(char: str) -> Script | None:
    """The script of a letter; None: it is none. Han counts as Chinese here; `leading` sees whether it is Japanese."""
    code = ord(char)
    if code < 0x0E00:
        return LATIN if char.isalpha() else None
    for letters, script in _RANGES:
        if code in letters:
            return script
    return LATIN if char.isalpha() else None


def script_of(text: str) -> Script:
    """The script of most of a text's letters, by columns; Latin if it has no letters."""
    counts = dict.fromkeys(SCRIPTS, 0)
    for char in text:
        script = script_of_letter(char)
        if script is not None:
            counts[script.name] += width_of(char)
    return leading(counts)


def leading(counts: Mapping[str, int]) -> Script:
    """The script that has most, by the columns of its letters. Kana make the Han beside them Japanese."""
    most = dict(counts)
    if most[JAPANESE.name]:
        most[JAPANESE.name] += most[CHINESE.name]
        most[CHINESE.name] = 0
    return SCRIPTS[max(most, key=most.__getitem__)]


@functools.lru_cache(_KNOWN)
def width_of(char: str) -> int:
    """Columns of one character."""
    if char < "\u0300":
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def width(text: str) -> int:
    """Columns of a text."""
    if text.isascii():
        return len(text)
    return sum(map(width_of, text))


def may_cut(text: str, at: int) -> bool:
    """Whether a grapheme may end before `text[at]`.

    A rule of our own that never cuts where Unicode's (UAX 29) would not, tables apart, and also keeps what readers of
    Thai and Lao see as one: a vowel and its consonant.
    """
    before, after = text[at - 1], text[at]
    if _joins_before(after) or _joins_after(before):
        return False
    if ord(after) in _REGIONAL:
        start = at
        while start > 0 and ord(text[start - 1]) in _REGIONAL:
            start -= 1
        return (at - start) % 2 == 0
    return not (before == "\r" and after == "\n")


@functools.lru_cache(_KNOWN)
def _joins_before(char: str) -> bool:
    """Whether a character belongs to the one before it: combining marks, Thai tone marks and variation selectors among them."""
    code = ord(char)
    is_mark = unicodedata.category(char).startswith("M") or char in _FOLLOWERS or char in (_JOINER, "\u200c")
    return is_mark or code in _SKIN or code in _TAGS or code in _JAMO


@functools.lru_cache(_KNOWN)
def _joins_after(char: str) -> bool:
    """Whether a character belongs to the one after it. A virama joins consonants."""
    return char == _JOINER or char in _LEADERS or unicodedata.combining(char) == 9
