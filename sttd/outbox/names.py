"""Names of results and of sources that are filed away. Pure: which of them are taken is found out by taking them.

Names are what `os.fsdecode` makes of their bytes: they may hold surrogates, new lines, anything but `/` and NUL.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable

LIMIT = 255  # bytes of one name: NAME_MAX of every Linux file system that matters
_LONGEST_SUFFIX = 32  # bytes; what is longer behind a dot is part of the stem

_PRIVATE = re.compile(r"\.sttd-(\d+)\.filing\.(.+)", re.DOTALL)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
# Never at a line's or a name's beginning, though Unicode counts them as letters: Thai and Lao vowels and marks that
# are written behind their consonant
_FOLLOWERS = frozenset("ะาำๅๆฯະາຳໆ")
_LEADERS = frozenset("เแโใไເແໂໃໄ")  # vowels that are written before the consonant that they belong to
_JOINER = "\u200d"
_REGIONAL = range(0x1F1E6, 0x1F200)  # two of them are one flag
_SKIN = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)
_JAMO = range(0x1160, 0x1200)  # Hangul vowels and finals, which join what is before them


def split(source: str) -> tuple[tuple[str, ...], str]:
    """The folders and the file name under which a source and its results are filed, whatever `source` says.

    The result never leaves the folder that it is put under: no `..`, no absolute path. Leading dots, which would
    hide it, become underscores; a file in the inbox has none.
    """
    parts = [_visible(part) for part in source.split("/") if part not in ("", ".")] or ["_"]
    return tuple(parts[:-1]), parts[-1]


def _visible(part: str) -> str:
    bare = part.lstrip(".")
    return "_" * (len(part) - len(bare)) + bare


def results(name: str, language: str, formats: Iterable[str], number: int) -> dict[str, str]:
    """The names of one job's results by format: `<stem>.<lang>.<ext>`, all with the same stem and number.

    Args:
        name: of the source's file, as `split` gives it.
        language: its code; anything that is none becomes `und`.
        formats: suffixes.
        number: 1, or n for ` (n)` behind the stem.
    """
    code = language if _LANGUAGE.fullmatch(language) else "und"
    tails = {each: f"{_mark(number)}.{code}.{each}" for each in formats}
    longest = max(tails.values(), key=len, default="")
    stem = cut(_parts(name)[0], LIMIT - len(os.fsencode(longest)))
    return {each: stem + tail for each, tail in tails.items()}


def numbered(name: str, number: int) -> str:
    """`name` for 1, else with ` (n)` before its suffix; never over 255 bytes."""
    stem, suffix = _parts(name)
    return fit(stem, _mark(number) + suffix)


def private(job: int, name: str) -> str:
    """The name of a source while it is being filed away: a dotfile, never a job, that tells whose it is."""
    stem, suffix = _parts(name)
    return fit(f".sttd-{job}.filing.{stem}", suffix)


def of_private(name: str) -> tuple[int, str] | None:
    """The job and the source's own name (cut, where it was very long); None: not a private name."""
    found = _PRIVATE.fullmatch(name)
    return None if found is None else (int(found[1]), found[2])


def fit(stem: str, tail: str) -> str:
    """`stem` and `tail` as one name of at most 255 bytes, for which only the stem is cut."""
    return cut(stem, LIMIT - len(os.fsencode(tail))) + tail


def cut(stem: str, most: int) -> str:
    """`stem` if it has at most `most` bytes, else a part of it, cut at a grapheme, with `~` and a hash of the whole."""
    data = os.fsencode(stem)
    if len(data) <= most:
        return stem
    mark = "~" + hashlib.sha256(data).hexdigest()[:8]
    room, length = most - len(mark), 0
    for char in stem:
        room -= len(os.fsencode(char))
        if room < 0:
            break
        length += 1
    end = length
    while end > 0 and not _may_cut(stem, end):
        end -= 1
    return stem[: end or length] + mark  # one endless grapheme: anywhere


def _parts(name: str) -> tuple[str, str]:
    """Stem and suffix; the suffix has its dot, or is empty."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or not suffix or len(os.fsencode(suffix)) > _LONGEST_SUFFIX:
        return name, ""
    return stem, dot + suffix


def _mark(number: int) -> str:
    return "" if number == 1 else f" ({number})"


def _may_cut(text: str, at: int) -> bool:
    """Whether a grapheme may end before `text[at]`.

    A rule of our own that never cuts where Unicode's (UAX 29) would not, tables apart, and also keeps what readers of
    Thai and Lao see as one: a vowel and its consonant.
    """
    before, after = text[at - 1], text[at]
    code = ord(after)
    if unicodedata.category(after).startswith("M") or after in _FOLLOWERS or after in (_JOINER, "\u200c"):
        return False  # combining marks, Thai tone marks and variation selectors among them
    if before == _JOINER or before in _LEADERS or unicodedata.combining(before) == 9:  # a virama joins consonants
        return False
    if code in _SKIN or code in _TAGS or code in _JAMO:
        return False
    if code in _REGIONAL:
        start = at
        while start > 0 and ord(text[start - 1]) in _REGIONAL:
            start -= 1
        return (at - start) % 2 == 0
    return not (before == "\r" and after == "\n")
